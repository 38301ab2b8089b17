/**
 * Opens the embedded backend: everything in one process, on files of one directory or in memory only.
 * Owns the order of opening and closing; knows nothing of what the parts store.
 * @module
 */

import type { Backend } from '../../ports/backend.ts';
import type { Clock } from '../../ports/clock.ts';
import { createEmbeddedCacheTier } from './cache-tier.ts';
import { openEmbeddedDirectory } from './directory-lock.ts';
import { createEmbeddedCursors } from './notification-cursors.ts';
import { createEmbeddedPurgeChannel } from './purge-channel.ts';
import { createEmbeddedRolloutStore } from './rollout-store.ts';
import { createEmbeddedLeases } from './service-leases.ts';
import { createEmbeddedSharedState } from './shared-state.ts';
import { createEmbeddedTelemetryStream } from './telemetry-stream.ts';
import { createEmbeddedWeightChannel } from './weight-channel.ts';

/**
 * `dir` is created when missing and locked until `close`; null keeps everything in memory. Throws
 * `UNAVAILABLE` when another process uses the directory, `INTERNAL` when a file in it is damaged.
 */
export async function openEmbedded(options: {
  readonly dir: string | null;
  readonly clock: Clock;
}): Promise<Backend> {
  const { dir, clock } = options;
  const unlock = dir === null ? async () => undefined : await openEmbeddedDirectory(dir);
  try {
    const leases = await createEmbeddedLeases({ dir, clock });
    const store = await createEmbeddedRolloutStore({ dir, epochOf: leases.epochOf });
    const cursors = await createEmbeddedCursors(dir);
    const channel = await createEmbeddedWeightChannel({ dir, clock });
    const telemetry = createEmbeddedTelemetryStream();
    const purges = createEmbeddedPurgeChannel();
    return {
      channel,
      telemetry,
      store,
      leases,
      cursors,
      shared: createEmbeddedSharedState(clock),
      purges,
      tier: createEmbeddedCacheTier(clock),
      connected: () => true,
      async close() {
        purges.close();
        await Promise.all([channel.close(), store.close(), leases.close(), cursors.close()]);
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}
