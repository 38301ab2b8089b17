/**
 * Trailers of a request: which of them the upstream gets, and what they are once the body has ended. All others are
 * dropped, because they could say what a field before the body would not be allowed to. Knows no connection.
 * @module
 */

import { isTrailerName } from '../config/policies/trailers.ts';
import type { Exchange } from './exchange.ts';
import type { RequestTrailers } from './upstream/upstream-pool.ts';

/** Visible characters, blanks and what is beyond ASCII (RFC 9110 §5.5). */
const SOUND_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Those that the client declares and the service takes; null where there are none, or no place for them. */
export function requestTrailersOf({ request, route, bodyLength }: Exchange): RequestTrailers | null {
  const allowed = route?.service.requestTrailers ?? null;
  // A body of a known length has no place for them in HTTP/1.1.
  if (allowed === null || bodyLength >= 0) return null;
  const declared = (request.headers.trailer ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => allowed.has(name.toLowerCase()) && isTrailerName(name.toLowerCase()));
  if (declared.length === 0) return null;
  const names = new Set(declared.map((name) => name.toLowerCase()));
  return {
    declared: declared.join(', '),
    read: () => {
      const raw = request.rawTrailers;
      const trailers: [string, string][] = [];
      for (let i = 0; i + 1 < raw.length; i += 2) {
        const name = raw[i] ?? '';
        const value = raw[i + 1] ?? '';
        if (names.has(name.toLowerCase()) && SOUND_VALUE.test(value)) trailers.push([name, value]);
      }
      return trailers;
    },
  };
}
