/**
 * Makes of the client's request the one that the upstream gets, except for the body. Comes before the cache, so that
 * Vary sees the fields that the upstream will see; routing and permissions have looked at the client's request.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';

export function prepare(exchange: Exchange): boolean {
  const transform = exchange.route?.transform ?? null;
  if (transform === null) return true;
  if (transform.requestFields !== null) {
    const fields = transform.requestFields(exchange, exchange.upstreamFields);
    exchange.upstreamFields = fields;
    exchange.traceparentAt = valueIndexOf(fields, 'traceparent');
  }
  if (transform.rewrite !== null) {
    const target = transform.rewrite.target(exchange);
    if (target === undefined) {
      // Nobody is blamed for what no version has seen.
      exchange.version = null;
      exchange.hold?.release();
      replyProblem(exchange, 'UNREWRITABLE_PATH', '');
      return false;
    }
    exchange.upstreamTarget = target;
  }
  return true;
}

/** Only names are looked at: a client may send `traceparent` as a value. */
function valueIndexOf(fields: readonly string[], name: string): number {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return i + 1;
  return -1;
}
