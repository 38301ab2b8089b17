/**
 * Makes of the client's request the one that the upstream gets, except for the body. Comes before the cache, so that
 * Vary sees the fields that the upstream will see; routing and permissions have looked at the client's request.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';
import { requestTrailersOf } from '../request-trailers.ts';
import { fieldsWithout, valueIndexOf } from '../transform/field-list.ts';
import { isCached } from './cache.ts';

/** Fields that ask for a form or a part of the response's bytes. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['accept-encoding', 'range', 'if-range']);

export function prepare(exchange: Exchange): boolean {
  exchange.trailers = requestTrailersOf(exchange);
  const queryRest = exchange.route?.cache?.queryRest ?? null;
  // Before anything is made of the query: a response must not show what its key does not.
  if (queryRest !== null && isCached(exchange)) exchange.query = queryRest(exchange.query);
  const transform = exchange.route?.transform ?? null;
  if (transform === null) return true;
  if (transform.requestFields !== null || transform.responseBody !== null) {
    let fields = exchange.upstreamFields;
    // Parts of a body that is reshaped are parts of another body; and it has to be readable.
    if (transform.responseBody !== null) {
      fields = [...fieldsWithout(fields, (name) => OF_THE_BODY.has(name)), 'Accept-Encoding', 'identity'];
    }
    if (transform.asking !== null) fields = transform.asking(exchange, fields);
    if (transform.requestFields !== null) fields = transform.requestFields(exchange, fields);
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
