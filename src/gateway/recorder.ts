/**
 * Reports once a second what every version did. Owns the second, the sequences and the backlog of summaries that could
 * not be delivered; knows neither requests nor the stream's transport.
 * @module
 */

import type { TelemetrySummary, VersionSummary } from '../core/domain/telemetry.ts';
import type { Clock } from '../ports/clock.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';
import type { Logger } from '../telemetry/logger.ts';
import { KeySample } from './key-sample.ts';
import { MAX_RETIRED_SERVICES, MAX_TELEMETRY_BACKLOG } from './limits.ts';
import { VersionCounter } from './version-counter.ts';
import { within } from './within.ts';

/** A stream that does not answer must not keep a gateway from ending. */
const CLOSE_TIMEOUT_MS = 1_000;

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
