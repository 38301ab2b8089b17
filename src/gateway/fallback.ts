/**
 * What clients get when the service has failed for good: a stale response of the cache, a fixed answer, or another
 * service's. What the attempts were counts as it was; nothing of this is stored.
 * @module
 */

import type { FallbackCause } from '../config/policies/fallback-schema.ts';
import { answerOnError } from './cache/answer.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import { replyFixed, replyProblem } from './problem.ts';
import { isReplayable } from './retries.ts';

/** `service`: `exchange.standIn` is to be asked now. */
export type StandIn = 'answered' | 'service' | 'none';

/**
 * `cause` null: nothing stands in for that. `status` is the failing response's, 0 without one.
 */
export function standIn(
  exchange: Exchange,
  cause: FallbackCause | null,
  status: number,
  code: GatewayErrorCode | '',
): StandIn {
  if (cause === null || exchange.relaying || exchange.recorded) return 'none';
  exchange.cacheRun?.failed(status);
  if (answerOnError(exchange, status)) return 'answered';
  const { route } = exchange;
  const fallback = route?.fallback ?? null;
  if (route === null || fallback === null || exchange.standIn !== null || !fallback.on.has(cause))
    return 'none';
  if (exchange.cacheRun?.background === true) return 'none';
  const { to } = fallback;
  if (to.kind === 'service' && !isReplayable(exchange)) return 'none';
  if (exchange.errorCode === '') exchange.errorCode = code;
  // Neither an idempotency key nor the cache keeps what only stands in.
  exchange.hold?.release();
  exchange.hold = null;
  exchange.cacheRun?.release();
  exchange.note('fallback_cause', cause);
  exchange.runtime.metrics.resilience.countFallback(route, cause);
  if (to.kind === 'response') {
    exchange.note('fallback', 'response');
    replyFixed(exchange, to.status, to.fields, to.body);
    return 'answered';
  }
  exchange.note('fallback', to.service.name);
  exchange.standIn = to.service.defaultVersion;
  return 'service';
}

/** Ends the exchange with an error, unless something stands in. True: `exchange.standIn` is to be asked now. */
export function giveUp(
  exchange: Exchange,
  cause: FallbackCause | null,
  code: GatewayErrorCode,
  fields: readonly string[] = [],
): boolean {
  const outcome = standIn(exchange, cause, 0, code);
  if (outcome === 'none') {
    exchange.hold?.release();
    exchange.cacheRun?.release();
    replyProblem(exchange, code, '', fields);
  }
  return outcome === 'service';
}
