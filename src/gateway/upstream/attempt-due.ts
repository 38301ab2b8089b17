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
  readonly exchange: {
    readonly body: RequestBody | null;
    readonly wholeBody: Buffer | null;
    readonly callDeadlineMs: number;
  };
  totalDeadlineMs(): number;
}

/** Monotonic milliseconds. */
export function attemptDueMs(attempt: Waiting): number {
  const { phase, times, route } = attempt;
  const { timeout } = route;
  const { body, wholeBody } = attempt.exchange;
  const streams = body !== null && wholeBody === null;
  if (phase === 'connecting') {
    return Math.min(times.startedMs + timeout.connectMs, wholeDueMs(attempt), attempt.totalDeadlineMs());
  }
  if (phase !== 'waiting') {
    // Both directions at once: a request that goes on is a sign of life too.
    const sentMs = streams && !body.ended ? body.progressMs : 0;
    return Math.min(Math.max(times.waitingSinceMs, sentMs) + timeout.idleMs, wholeDueMs(attempt));
  }
  // While a body streams up, the upstream cannot answer; its time begins when it has all of it.
  if (streams && !body.ended) return Math.min(body.progressMs + timeout.idleMs, attempt.totalDeadlineMs());
  const sinceMs = streams ? Math.max(times.startedMs, body.progressMs) : times.startedMs;
  return Math.min(sinceMs + timeout.responseMs, wholeDueMs(attempt), attempt.totalDeadlineMs());
}

/**
 * When the last byte of the response must have come: for this attempt, and for all of them. Like the other times they
 * begin when the upstream has the whole request. The deadline of a gRPC caller takes the place of the latter.
 */
function wholeDueMs(attempt: Waiting): number {
  const { times, route, exchange } = attempt;
  const { attemptMs, completeMs, totalMs } = route.timeout;
  if (attemptMs === undefined && completeMs === undefined) return Number.POSITIVE_INFINITY;
  const { body, wholeBody, callDeadlineMs } = exchange;
  const streams = body !== null && wholeBody === null;
  if (streams && !body.ended) return Number.POSITIVE_INFINITY;
  const sinceMs = streams ? Math.max(times.startedMs, body.progressMs) : times.startedMs;
  const attemptDue = attemptMs === undefined ? Number.POSITIVE_INFINITY : sinceMs + attemptMs;
  if (completeMs === undefined || callDeadlineMs !== Number.POSITIVE_INFINITY) return attemptDue;
  return Math.min(attemptDue, attempt.totalDeadlineMs() - totalMs + completeMs);
}

/** Whether a response is late because of its client: as a whole, when that was waited for longer than the upstream was. */
export function clientIsLate(attempt: Waiting, nowMs: number): boolean {
  const { times } = attempt;
  if (times.pausedSinceMs >= 0) return true;
  return nowMs >= wholeDueMs(attempt) && times.pausedMs * 2 > nowMs - times.headMs;
}
