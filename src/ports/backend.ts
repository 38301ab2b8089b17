/**
 * A backend: the ports through which operator and gateways share state, opened and closed together.
 * Adapters: `adapters/embedded/open-embedded.ts` and `adapters/redis/open-redis.ts`; knows neither.
 * @module
 */

import type { CacheTier } from './cache-tier.ts';
import type { PurgeChannel } from './purge-channel.ts';
import type { NotificationCursors, RolloutStore, ServiceLeases } from './rollout-store.ts';
import type { SharedState } from './shared-state.ts';
import type { TelemetryStream } from './telemetry-stream.ts';
import type { WeightChannel } from './weight-channel.ts';

export interface Backend {
  readonly channel: WeightChannel;
  readonly telemetry: TelemetryStream;
  readonly store: RolloutStore;
  readonly leases: ServiceLeases;
  readonly cursors: NotificationCursors;
  readonly shared: SharedState;
  readonly purges: PurgeChannel;
  readonly tier: CacheTier;
  /** False: what it needs is out of reach for now, so that calls wait or reject. */
  connected(): boolean;
  /**
   * Ends every watch, waits for writes under way and gives up connections, files and locks. Idempotent.
   * Writes made afterwards reject with `UNAVAILABLE`.
   */
  close(): Promise<void>;
}
