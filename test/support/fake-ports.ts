/**
 * The smallest weight channel and telemetry stream that behave like the real ones, with handles to drive them.
 * For unit tests of the data plane only; the adapters have conformance suites of their own.
 * @module
 */

import type { Acknowledgement, SplitDocument } from '../../src/core/domain/split-document.ts';
import type { TelemetrySummary } from '../../src/core/domain/telemetry.ts';
import type { TelemetryStream } from '../../src/ports/telemetry-stream.ts';
import type { WeightChannel, WeightListener } from '../../src/ports/weight-channel.ts';

export class FakeChannel implements WeightChannel {
  readonly acknowledged: Acknowledgement[] = [];
  readonly #stored = new Map<string, SplitDocument>();
  readonly #listeners = new Set<{ services: readonly string[]; listener: WeightListener }>();
  /** While true, nothing is delivered and acknowledgements fail. */
  down = false;

  read(service: string): Promise<SplitDocument | null> {
    return Promise.resolve(this.#stored.get(service) ?? null);
  }

  write(split: SplitDocument): Promise<{ ok: true }> {
    this.#stored.set(split.service, split);
    if (!this.down) this.#each(split.service, (listener) => listener.onSplit(split));
    return Promise.resolve({ ok: true });
  }

  renew(service: string, revision: number): Promise<{ ok: true }> {
    if (!this.down) this.#each(service, (listener) => listener.onRenewal(service, revision));
    return Promise.resolve({ ok: true });
  }

  watch(services: readonly string[], listener: WeightListener, signal: AbortSignal): Promise<void> {
    const entry = { services, listener };
    this.#listeners.add(entry);
    signal.addEventListener('abort', () => this.#listeners.delete(entry));
    listener.onConnection(!this.down);
    for (const service of this.down ? [] : services) {
      const split = this.#stored.get(service);
      if (split !== undefined) listener.onSplit(split);
    }
    return Promise.resolve();
  }

  acknowledge(acknowledgement: Acknowledgement): Promise<void> {
    if (this.down) return Promise.reject(new Error('channel is down'));
    this.acknowledged.push(acknowledgement);
    return Promise.resolve();
  }

  acknowledgements(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  #each(service: string, call: (listener: WeightListener) => void): void {
    for (const { services, listener } of this.#listeners) if (services.includes(service)) call(listener);
  }
}

export class FakeStream implements TelemetryStream {
  readonly summaries: TelemetrySummary[] = [];
  down = false;

  emit(summary: TelemetrySummary): Promise<void> {
    if (this.down) return Promise.reject(new Error('stream is down'));
    this.summaries.push(summary);
    return Promise.resolve();
  }

  read(): Promise<{ summaries: readonly []; cursor: string; lost: boolean }> {
    return Promise.resolve({ summaries: [], cursor: '', lost: false });
  }
}
