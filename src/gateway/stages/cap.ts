/**
 * Holds a route, and each of its callers, to a number of requests at a time: beyond it there is 503. Comes before
 * the rates, so that what is shed costs nobody a part of his rate.
 * @module
 */

import { KEY_CAP, ROUTE_CAP } from '../concurrency.ts';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';

/** A slot is free as soon as any request ends; nobody can say when that is. */
const RETRY_AFTER_S = '1';

export function cap(exchange: Exchange): boolean {
  const concurrency = exchange.route?.concurrency ?? null;
  if (concurrency === null) return true;
  const key = concurrency.subject === null ? null : concurrency.subject(exchange);
  const verdict = concurrency.gate.enter(concurrency.caps, key);
  if (verdict === 'entered') {
    concurrency.routeCounts.allowed += 1;
    if (key !== null) concurrency.keyCounts.allowed += 1;
    exchange.limited = 'ok';
    exchange.slot = { gate: concurrency.gate, key };
    return true;
  }
  const ofRoute = verdict === 'full';
  (ofRoute ? concurrency.routeCounts : concurrency.keyCounts).refused += 1;
  exchange.limited = ofRoute ? ROUTE_CAP : KEY_CAP;
  const whose = ofRoute ? 'this route' : 'this caller';
  replyProblem(exchange, 'TOO_MANY_AT_ONCE', `It is the limit of ${whose}.`, ['Retry-After', RETRY_AFTER_S]);
  return false;
}
