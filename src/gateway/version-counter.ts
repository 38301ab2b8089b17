/**
 * Counts what one version did in the current second, per attempt and per response. Requests write to it; knows neither
 * them nor what becomes of the counts.
 * @module
 */

import { Histogram } from '../core/analysis/histogram.ts';
import {
  badOf,
  type Outcome,
  type OutcomeCounts,
  type Traffic,
  type VersionSummary,
} from '../core/domain/telemetry.ts';
import { FailureMemory } from './failure-memory.ts';
import { RunningAges } from './running-ages.ts';
import { SegmentCounters } from './segment-counters.ts';

const OUTCOMES = [
  'status2xx',
  'status3xx',
  'status4xx',
  'status5xx',
  'connectError',
  'reset',
  'timeout',
  'clientAborted',
] as const satisfies readonly Outcome[];

/** Index into the counters. */
export const OUTCOME = {
  status2xx: 0,
  status3xx: 1,
  status4xx: 2,
  status5xx: 3,
  connectError: 4,
  reset: 5,
  timeout: 6,
  clientAborted: 7,
} as const satisfies Record<Outcome, number>;

export type OutcomeIndex = (typeof OUTCOME)[Outcome];

/** Outcome of a final status (200–599). */
export function outcomeOfStatus(status: number): OutcomeIndex {
  if (status < 300) return OUTCOME.status2xx;
  if (status < 400) return OUTCOME.status3xx;
  return status < 500 ? OUTCOME.status4xx : OUTCOME.status5xx;
}

/** One view (attempts or responses) of one version in the current second. */
class TrafficCounter {
  readonly #counts = new Float64Array(OUTCOMES.length);
  readonly #latencyUs = new Histogram();

  /** `latencyMs`: null when the time that passed says nothing about the version. */
  record(outcome: OutcomeIndex, latencyMs: number | null): void {
    this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1;
    if (latencyMs !== null) this.#latencyUs.record(latencyMs * 1000);
  }

  get isEmpty(): boolean {
    return this.#counts.every((count) => count === 0);
  }

  /** The second's traffic; starts the next second. */
  take(): Traffic {
    const counts = this.#counts;
    const outcomes: OutcomeCounts = {
      status2xx: counts[OUTCOME.status2xx] ?? 0,
      status3xx: counts[OUTCOME.status3xx] ?? 0,
      status4xx: counts[OUTCOME.status4xx] ?? 0,
      status5xx: counts[OUTCOME.status5xx] ?? 0,
      connectError: counts[OUTCOME.connectError] ?? 0,
      reset: counts[OUTCOME.reset] ?? 0,
      timeout: counts[OUTCOME.timeout] ?? 0,
      clientAborted: counts[OUTCOME.clientAborted] ?? 0,
    };
    const traffic = { outcomes, latencyUs: this.#latencyUs.toWire() };
    counts.fill(0);
    this.#latencyUs.clear();
    return traffic;
  }
}

/** What requests write to. Stays the same object while the service has the version. */
export class VersionCounter {
  readonly attempts = new TrafficCounter();
  readonly responses = new TrafficCounter();
  forced = 0;
  /** Requests that were refused before an attempt: by a breaker, an adaptive limit, for want of an endpoint. */
  refused = 0;
  /** Users of the sample who were new under the split in force. */
  newKeys = 0;
  /** Comparisons of a rollout's mirror, and those of them that differ. */
  #compared = 0;
  #differing = 0;
  /** Attempts without an answer. */
  readonly running = new RunningAges();
  readonly segments = new SegmentCounters();
  readonly #failures = new FailureMemory();
  /** Bad attempts of a key that had failed shortly before. */
  #repeated = 0;

  /** An attempt of whoever has this sticky key failed. True when one did shortly before. */
  noteFailure(key: string, nowMs: number): boolean {
    if (this.#failures.isDistinct(key, nowMs)) return false;
    this.#repeated += 1;
    return true;
  }

  /** A mirrored answer of the version was compared. */
  noteMirrored(differs: boolean): void {
    this.#compared += 1;
    if (differs) this.#differing += 1;
  }

  take(nowMs: number): VersionSummary | null {
    const { forced, refused, newKeys } = this;
    const repeated = this.#repeated;
    const running = this.running.take(nowMs);
    const mirrored = { compared: this.#compared, differing: this.#differing };
    const quiet = mirrored.compared === 0 && running.length === 0;
    const idle = forced === 0 && refused === 0 && newKeys === 0 && quiet;
    if (idle && this.attempts.isEmpty && this.responses.isEmpty) return null;
    this.forced = 0;
    this.refused = 0;
    this.newKeys = 0;
    this.#repeated = 0;
    this.#compared = 0;
    this.#differing = 0;
    const attempts = this.attempts.take();
    const segments = this.segments.take();
    const leftOut = this.segments.takeLeftOut();
    return {
      attempts,
      responses: this.responses.take(),
      forced,
      ...(refused > 0 && { refused }),
      ...(newKeys > 0 && { newKeys }),
      ...(repeated > 0 && { distinctBad: Math.max(0, badOf(attempts.outcomes) - repeated) }),
      ...(mirrored.compared > 0 && { mirrored }),
      ...(running.length > 0 && { running }),
      ...(segments && { segments }),
      ...(leftOut && { leftOut }),
    };
  }
}
