/**
 * The embedded weight channel and telemetry stream behind a switch: tests turn them off and on, and see what went
 * through. Everything else is the real adapter.
 * @module
 */

import { openEmbedded } from '../../src/adapters/embedded/open-embedded.ts';
import type { Acknowledgement, SplitDocument } from '../../src/core/domain/split-document.ts';
import type { TelemetrySummary } from '../../src/core/domain/telemetry.ts';
import type { CacheTier } from '../../src/ports/cache-tier.ts';
import type { PurgeChannel } from '../../src/ports/purge-channel.ts';
import type { SharedState } from '../../src/ports/shared-state.ts';
import type { TelemetryBatch, TelemetryStream } from '../../src/ports/telemetry-stream.ts';
import type {
  LiveAcknowledgement,
  WeightChannel,
  WeightListener,
  WriteResult,
} from '../../src/ports/weight-channel.ts';

export class SwitchableChannel implements WeightChannel {
  readonly acknowledged: Acknowledgement[] = [];
  readonly #real: WeightChannel;
  /** While true, gateways hear nothing and cannot acknowledge. */
  down = false;

  constructor(real: WeightChannel) {
    this.#real = real;
  }

  read(service: string): Promise<SplitDocument | null> {
    return this.#real.read(service);
  }

  write(split: SplitDocument): Promise<WriteResult> {
    return this.#real.write(split);
  }

  renew(service: string, revision: number, epoch: number): Promise<WriteResult> {
    return this.#real.renew(service, revision, epoch);
  }

  watch(services: readonly string[], listener: WeightListener, signal: AbortSignal): Promise<void> {
    return this.#real.watch(
      services,
      {
        onSplit: (split, origin) => this.down || listener.onSplit(split, origin),
        onRenewal: (service, revision) => this.down || listener.onRenewal(service, revision),
        onConnection: (connected) => listener.onConnection(connected && !this.down),
      },
      signal,
    );
  }

  acknowledge(acknowledgement: Acknowledgement): Promise<void> {
    if (this.down) return Promise.reject(new Error('the channel is down'));
    this.acknowledged.push(acknowledgement);
    return this.#real.acknowledge(acknowledgement);
  }

  acknowledgements(service: string): Promise<readonly LiveAcknowledgement[]> {
    return this.#real.acknowledgements(service);
  }
}

export class SwitchableStream implements TelemetryStream {
  readonly summaries: TelemetrySummary[] = [];
  readonly #real: TelemetryStream;
  /** While true, emitting fails. */
  down = false;

  constructor(real: TelemetryStream) {
    this.#real = real;
  }

  async emit(summary: TelemetrySummary): Promise<void> {
    if (this.down) throw new Error('the stream is down');
    await this.#real.emit(summary);
    this.summaries.push(summary);
  }

  read(service: string, cursor: string | null, limit: number): Promise<TelemetryBatch> {
    return this.#real.read(service, cursor, limit);
  }
}

export async function switchableBackend(): Promise<{
  channel: SwitchableChannel;
  stream: SwitchableStream;
  shared: SharedState;
  purges: PurgeChannel;
  tier: CacheTier;
  close: () => Promise<void>;
}> {
  const backend = await openEmbedded({ dir: null, clock: { nowMs: () => Date.now() } });
  return {
    channel: new SwitchableChannel(backend.channel),
    stream: new SwitchableStream(backend.telemetry),
    shared: backend.shared,
    purges: backend.purges,
    tier: backend.tier,
    close: () => backend.close(),
  };
}
