/**
 * Counts what every version did, per attempt and per response, and reports it once a second. Owns the counters
 * and the backlog of summaries that could not be delivered; knows neither requests nor the stream's transport.
 * @module
 */

import { Histogram } from '../core/analysis/histogram.ts';
import {
  badOf,
  type Outcome,
  type OutcomeCounts,
  type TelemetrySummary,
  type Traffic,
  type VersionSummary,
} from '../core/domain/telemetry.ts';
import type { Clock } from '../ports/clock.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';
import type { Logger } from '../telemetry/logger.ts';
import { FailureMemory } from './failure-memory.ts';
import { KeySample } from './key-sample.ts';
import { MAX_RETIRED_SERVICES, MAX_TELEMETRY_BACKLOG } from './limits.ts';
import { RunningAges } from './running-ages.ts';
import { SegmentCounters } from './segment-counters.ts';
import { within } from './within.ts';

/** A stream that does not answer must not keep a gateway from ending. */
const CLOSE_TIMEOUT_MS = 1_000;

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

interface ServiceCounter {
  sequence: number;
  readonly versions: Map<string, VersionCounter>;
  readonly sample: KeySample;
}

export interface RecorderOptions {
  readonly gateway: string;
  readonly incarnation: string;
  readonly stream: TelemetryStream;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  /** Revision in force of a service. */
  readonly revisionOf: (service: string) => number;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #services = new Map<string, ServiceCounter>();
  /** Last sequences of services that a reload took away: one that comes back goes on from there. */
  readonly #retired = new Map<string, number>();
  /** Where services start that are not among the retired: no lower than any that was forgotten. */
  #firstSequence = 0;
  readonly #backlog: TelemetrySummary[] = [];
  #timer: NodeJS.Timeout | null = null;
  #delivering: Promise<void> | null = null;
  #failing = false;
  /** Summaries that were given up because the stream was away for too long. */
  dropped = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Declares the services that are reported. Counters of services and versions that stay are kept. */
  replaceServices(names: readonly string[]): void {
    for (const [name, { sequence }] of this.#services)
      if (!names.includes(name)) this.#retire(name, sequence);
    for (const name of names) this.#counters(name);
  }

  counter(service: string, version: string): VersionCounter {
    const counters = this.#counters(service);
    const counter = counters.versions.get(version) ?? new VersionCounter();
    counters.versions.set(version, counter);
    return counter;
  }

  /** Outlives reloads, like the counters. */
  sample(service: string): KeySample {
    return this.#counters(service).sample;
  }

  start(): void {
    const { clock } = this.#options;
    const untilNextMs = 1000 - (clock.nowMs() % 1000);
    this.#timer = setTimeout(() => {
      this.#close(Math.floor(clock.nowMs() / 1000) * 1000 - 1000);
      this.start();
    }, untilNextMs);
    this.#timer.unref();
  }

  /** Reports the unfinished second; waits for its delivery, but not for long. */
  async close(): Promise<void> {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#close(Math.floor(this.#options.clock.nowMs() / 1000) * 1000);
    await within(this.#delivering, CLOSE_TIMEOUT_MS);
  }

  #counters(service: string): ServiceCounter {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const sequence = this.#retired.get(service) ?? this.#firstSequence;
    this.#retired.delete(service);
    const counters = { sequence, versions: new Map<string, VersionCounter>(), sample: new KeySample() };
    this.#services.set(service, counters);
    return counters;
  }

  #retire(service: string, sequence: number): void {
    this.#services.delete(service);
    this.#retired.set(service, sequence);
    const oldest = this.#retired.size > MAX_RETIRED_SERVICES ? this.#retired.entries().next() : undefined;
    if (oldest?.done !== false) return;
    const [forgotten, last] = oldest.value;
    this.#retired.delete(forgotten);
    this.#firstSequence = Math.max(this.#firstSequence, last);
  }

  #close(secondMs: number): void {
    const { gateway, incarnation, revisionOf } = this.#options;
    const nowMs = this.#options.monotonicMs();
    for (const [service, counters] of this.#services) {
      counters.sequence += 1;
      const versions: Record<string, VersionSummary> = {};
      for (const [version, counter] of counters.versions) {
        const summary = counter.take(nowMs);
        if (summary !== null) versions[version] = summary;
      }
      this.#backlog.push({
        gateway,
        incarnation,
        service,
        sequence: counters.sequence,
        secondMs,
        revision: revisionOf(service),
        versions,
      });
    }
    const excess = this.#backlog.length - MAX_TELEMETRY_BACKLOG;
    if (excess > 0) {
      this.#backlog.splice(0, excess);
      this.dropped += excess;
    }
    if (this.#backlog.length > 0) this.#delivering ??= this.#deliver();
  }

  /** Oldest first and one at a time, so that sequences arrive in order; the rest waits for the next second. */
  async #deliver(): Promise<void> {
    try {
      for (let summary = this.#backlog[0]; summary !== undefined; summary = this.#backlog[0]) {
        await this.#options.stream.emit(summary);
        if (this.#backlog[0] === summary) this.#backlog.shift();
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#options.logger.warn({ err: error }, 'telemetry cannot be delivered; it is kept');
      this.#failing = true;
    } finally {
      this.#delivering = null;
    }
  }
}
