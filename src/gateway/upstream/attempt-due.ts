/**
 * When an attempt must have got further than it is. Knows the phases and the time-outs, not what happens then.
 * @module
 */

import type { CompiledRoute } from '../snapshot.ts';
import type { AttemptClock } from './attempt-clock.ts';
import type { AttemptPhase } from './attempt-sink.ts';
import type { RequestBody } from './request-body.ts';

interface Waiting {
  readonly phase: AttemptPhase;
  readonly route: CompiledRoute;
  readonly times: AttemptClock;
  readonly exchange: { readonly body: RequestBody | null; readonly wholeBody: Buffer | null };
  totalDeadlineMs(): number;
}

/** Monotonic milliseconds. */
export function attemptDueMs(attempt: Waiting): number {
  const { phase, times, route } = attempt;
  const { timeout } = route;
  const { body, wholeBody } = attempt.exchange;
  const streams = body !== null && wholeBody === null;
  if (phase === 'connecting') {
    return Math.min(times.startedMs + timeout.connectMs, attempt.totalDeadlineMs());
  }
  if (phase !== 'waiting') {
    // Both directions at once: a request that goes on is a sign of life too.
    const sentMs = streams && !body.ended ? body.progressMs : 0;
    return Math.max(times.waitingSinceMs, sentMs) + timeout.idleMs;
  }
  // While a body streams up, the upstream cannot answer; its time begins when it has all of it.
  if (streams && !body.ended) return Math.min(body.progressMs + timeout.idleMs, attempt.totalDeadlineMs());
  const sinceMs = streams ? Math.max(times.startedMs, body.progressMs) : times.startedMs;
  return Math.min(sinceMs + timeout.responseMs, attempt.totalDeadlineMs());
}
