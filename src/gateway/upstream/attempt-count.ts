/**
 * Counts an attempt that has ended, for telemetry, metrics, traces and the ejection of outliers. Knows what each of them
 * wants to hear, not how an attempt ended.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { Ageing } from '../running-ages.ts';
import type { ServiceVersion } from '../snapshot.ts';
import { OUTCOME, type OutcomeIndex } from '../version-counter.ts';
import type { Target } from './target.ts';

export interface EndedAttempt extends Ageing {
  readonly exchange: Exchange;
  readonly version: ServiceVersion;
  readonly target: Target;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
  /** 0 without a response. */
  readonly status: number;
}

/** Index into ATTEMPT_ERRORS of `metrics.ts`. */
const ERROR_LABEL: readonly number[] = [0, 0, 0, 0, 1, 2, 3, 4];

/** `timed`: the time that passed says something about the version. */
export function countAttempt(
  attempt: EndedAttempt,
  outcome: OutcomeIndex,
  timed: boolean,
  durationMs: number,
  nowMs: number,
): void {
  const { exchange, version, target, status } = attempt;
  exchange.trace?.endAttempt(attempt, outcome, nowMs);
  const aborted = outcome === OUTCOME.clientAborted;
  if (!aborted) version.outliers?.note(target, isGatewayFailure(outcome, status), nowMs);
  // Testers are not a random sample: rules must not see their requests, in either metric source.
  if (exchange.forced) return;
  target.state.attempts.note(outcome);
  const { counter } = version;
  counter.running.delete(attempt);
  counter.attempts.record(outcome, timed ? durationMs : null);
  const bad = outcome >= OUTCOME.status5xx && !aborted;
  const repeated = bad && counter.noteFailure(exchange.stickyKey || exchange.clientIp, nowMs);
  // An attempt without an outcome of the version's own has none in its segments either.
  if (!aborted) countSegments(attempt, bad, repeated, timed ? durationMs : null);
  version.series.observe(status, ERROR_LABEL[outcome] ?? 0, durationMs);
}

function countSegments(
  { exchange, version, target }: EndedAttempt,
  bad: boolean,
  repeated: boolean,
  durationMs: number | null,
): void {
  for (const { dimension, read } of version.segments) {
    const value = read(exchange, target.endpoint.origin);
    if (value !== undefined) version.counter.segments.note(dimension, value, bad, repeated, durationMs);
  }
}

function isGatewayFailure(outcome: OutcomeIndex, status: number): boolean {
  return outcome > OUTCOME.status5xx || (status >= 502 && status <= 504);
}
