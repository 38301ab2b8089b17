/**
 * Whether an attempt that failed is followed by another: the route's policy, the breaker and the budget asked in turn.
 * Joins `core/policy/retry.ts` to exchanges; starts nothing.
 * @module
 */

import { type AttemptFailure, retryDelayMs } from '../core/policy/retry.ts';
import type { Exchange } from './exchange.ts';
import { randomFraction } from './random-ids.ts';
import type { Attempt } from './upstream/attempt.ts';
import type { AttemptTrouble } from './upstream/attempt-sink.ts';

/** Null: not worth a retry. */
export function failureOfTrouble(trouble: AttemptTrouble): AttemptFailure | null {
  if (trouble === 'bad-response' || trouble === 'client-stalled' || trouble === 'unsendable') return null;
  return trouble === 'tls' ? 'connect' : trouble;
}

export function failureOfStatus(status: number): AttemptFailure | null {
  if (status < 502 || status > 504) return null;
  return status === 502 ? '502' : status === 503 ? '503' : '504';
}

/** All that was sent of the request can be sent again. */
export function isReplayable({ body, wholeBody }: Exchange): boolean {
  return body === null || wholeBody !== null || body.replayable;
}

/** Milliseconds until the next attempt, or null when this one is the last. Takes the retry out of the budget. */
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
      attemptsMade: exchange.attempts,
      attemptMs: nowMs - current.startedMs,
      replayable: isReplayable(exchange),
      responseStarted: exchange.relaying,
      remainingMs: current.totalDeadlineMs() - nowMs,
    },
    randomFraction(),
  );
  return delayMs !== null && takeRetry(exchange, nowMs) ? delayMs : null;
}

/** A retry or a hedge: both are load that nobody asked for, so one budget bounds them. */
export function takeRetry({ route }: Exchange, nowMs: number): boolean {
  if (route === null) return false;
  const { retryBudget, retries } = route.service;
  if (retryBudget.tryRetry(nowMs)) {
    retries.made += 1;
    return true;
  }
  retries.refused += 1;
  return false;
}
