/**
 * Whether an attempt that failed is followed by another: the route's policy, the breaker and the budget asked in turn.
 * Joins `core/policy/retry.ts` to exchanges; starts nothing.
 * @module
 */

import {
  type AttemptBreak,
  type AttemptFailure,
  type RetryStatus,
  retryDelayMs,
} from '../core/policy/retry.ts';
import type { Exchange } from './exchange.ts';
import { randomFraction } from './random-ids.ts';
import type { Attempt } from './upstream/attempt.ts';
import type { AttemptTrouble } from './upstream/attempt-sink.ts';

/** Null: not worth a retry. */
export function breakOfTrouble(trouble: AttemptTrouble): AttemptBreak | null {
  if (trouble === 'bad-response' || trouble === 'client-stalled' || trouble === 'unsendable') return null;
  // As likely gone the next time as a connection that broke.
  if (trouble === 'unparsable') return 'reset';
  return trouble === 'tls' ? 'connect' : trouble;
}

const RETRY_STATUSES: ReadonlyMap<number, RetryStatus> = new Map([
  [429, '429'],
  [500, '500'],
  [502, '502'],
  [503, '503'],
  [504, '504'],
]);

/** Null: a status that no route tries again. */
export function retryStatusOf(status: number): RetryStatus | null {
  return status < 429 ? null : (RETRY_STATUSES.get(status) ?? null);
}

/** All that was sent of the request can be sent again. */
export function isReplayable({ body, wholeBody }: Exchange): boolean {
  return body === null || wholeBody !== null || body.replayable;
}

/** Milliseconds until the next attempt, or null when this one is the last. Takes the retry out of the budget and counts it. */
export function retryDelay(current: Attempt, failure: AttemptFailure): number | null {
  const { exchange, route, version } = current;
  // What stands in is asked once.
  if (route.retry === null || exchange.standIn !== null) return null;
  const nowMs = exchange.runtime.monotonicMs();
  // What the upstream said is a better answer than what the breaker would say instead of asking again.
  if (route.breakers?.get(version)?.open(nowMs, version.balancer.targets) != null) return null;
  const delayMs = retryDelayMs(
    route.retry,
    {
      method: exchange.method,
      idempotent: exchange.hold !== null,
      failure,
      retriesMade: exchange.retries,
      sinceFirstMs: nowMs - exchange.firstAttemptMs,
      replayable: isReplayable(exchange),
      responseStarted: exchange.relaying,
      remainingMs: current.totalDeadlineMs() - nowMs,
    },
    randomFraction(),
  );
  if (delayMs === null || !withinBudget(exchange, 'retry', nowMs)) return null;
  exchange.retries += 1;
  return delayMs;
}

/** Takes a retry or a hedge out of the budget: both are load that nobody asked for, so one budget bounds them. */
export function withinBudget({ route }: Exchange, kind: 'retry' | 'hedge', nowMs: number): boolean {
  if (route === null) return false;
  const { retryBudget, retries } = route.service;
  const granted = retryBudget.tryRetry(nowMs);
  retries[kind][granted ? 'made' : 'refused'] += 1;
  return granted;
}
