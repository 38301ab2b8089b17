/**
 * What a route may ask of the fields of a request beside method, host and path: shape in YAML and compiled form.
 * Knows no routes.
 * @module
 */

import * as z from 'zod';
import type { RouteCondition } from '../../core/policy/route-condition.ts';
import { headerName } from '../primitives.ts';

const MEDIA_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}$/;
/** They belong to a connection, or the gateway has read them before there is a route. */
const NOT_FOR_ROUTES =
  /^(?:connection|content-length|expect|forwarded|host|keep-alive|te|trailer|transfer-encoding|upgrade|x-forwarded-.*)$/;

export const conditionFields = {
  headers: z
    .record(
      headerName.refine((name) => !NOT_FOR_ROUTES.test(name), {
        error: 'expected a header that is not about the connection or the Host',
      }),
      z.string({ error: 'expected text' }).regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?$/, {
        error: 'expected printable text without space around it',
      }),
    )
    .refine((headers) => Object.keys(headers).length > 0, { error: 'expected at least one header' })
    .optional()
    .meta({
      description: 'Request headers that must have exactly these values, such as accept-version: "2".',
    }),
  accept: z
    .string()
    .regex(MEDIA_TYPE, { error: 'expected a media type such as application/vnd.shop.v2+json' })
    .optional()
    .meta({ description: 'Media type that Accept must name; wildcards do not name it.' }),
};

export function readConditions(match: {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly accept?: string | undefined;
}): readonly RouteCondition[] {
  const conditions: RouteCondition[] = Object.entries(match.headers ?? {}).map(([name, value]) => ({
    kind: 'field',
    name,
    value,
  }));
  if (match.accept !== undefined) conditions.push({ kind: 'accept', mediaType: match.accept.toLowerCase() });
  return conditions;
}
