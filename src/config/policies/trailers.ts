/**
 * The `trailers` and `requestTrailers` of a service: which fields after a body are passed on. Knows no data plane.
 * @module
 */

import * as z from 'zod';
import { headerName } from '../primitives.ts';

/** What decides about framing, routing, access, caching or the meaning of the body must come before it (RFC 9110 §6.5.1). */
const NEVER =
  /^(?:age|authorization|cache-.*|cdn-cache-control|connection|content-.*|cookie|date|expect|expires|forwarded|host|http2-settings|keep-alive|location|max-forwards|pragma|proxy-.*|range|retry-after|set-cookie|te|trailer|transfer-encoding|upgrade|vary|via|warning|www-authenticate|x-forwarded-.*|x-request-id|if-.*|access-control-.*)$/;

/** Whether a field of that name (lower case) may come after a body at all. */
export function isTrailerName(name: string): boolean {
  return !NEVER.test(name);
}

const trailerNames = z
  .array(
    headerName.refine((name) => !NEVER.test(name), {
      error: 'expected a field that may come after the body (RFC 9110 §6.5.1), such as server-timing',
    }),
  )
  .min(1)
  .max(32)
  .optional();

export const trailersField = trailerNames.meta({
  description: 'Response trailers that are passed on to the client; all others are dropped. Default: none.',
});

export const requestTrailersField = trailerNames.meta({
  description:
    'Request trailers that are passed on to upstreams where the client declares them; all others are dropped. Default: none.',
});
