/**
 * Response trailers: passes on what the service allows, and of a gRPC call its outcome and metadata, after a body that
 * the client gets in chunks. All others are dropped, because they could say what a field before the body would not be allowed to.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import { isTrailerName } from '../config/policies/trailers.ts';
import type { Exchange } from './exchange.ts';

/** Before the end of the response. Without chunks (HTTP/1.0, a known length) there is no place for them. */
export function addTrailers({ response, route, grpc }: Exchange, received: IncomingHttpHeaders | null): void {
  const allowed = route?.service.trailers;
  if (received === null || (!grpc && allowed == null)) return;
  const trailers: [string, string][] = [];
  for (const [name, value] of Object.entries(received)) {
    if (value === undefined || !(allowed?.has(name.toLowerCase()) || (grpc && isTrailerName(name)))) continue;
    for (const each of Array.isArray(value) ? value : [value]) trailers.push([name, each]);
  }
  if (trailers.length === 0) return;
  try {
    response.addTrailers(trailers);
  } catch {
    // What Node refuses to send is dropped like any other.
  }
}
