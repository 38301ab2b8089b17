/**
 * Opens the Redis backend: everything shared by gateways and operators of several machines.
 * Owns the order of opening and closing; needs Redis 6.2 or newer.
 * @module
 */

import type { Backend } from '../../ports/backend.ts';
import { createRedisCacheTier } from './cache-tier.ts';
import { type ConnectionLog, openConnection } from './connection.ts';
import { createRedisCursors } from './notification-cursors.ts';
import { createRedisPurgeChannel } from './purge-channel.ts';
import { createRedisRolloutStore } from './rollout-store.ts';
import { createRedisLeases } from './service-leases.ts';
import { createRedisSharedState } from './shared-state.ts';
import { createRedisTelemetryStream } from './telemetry-stream.ts';
import { createRedisWeightChannel } from './weight-channel.ts';

/** How long opening waits for a first connection. A Redis that is down later or now is not an error. */
const FIRST_CONNECTION_MS = 2000;

/**
 * Everything is as durable as Redis is configured to be. With `appendonly yes` and `appendfsync always` a
 * restart loses nothing. Without, records and weights may be gone: gateways keep the weights that they have
 * (until a canary's lease runs out), and the operator, whose next epoch is higher than every one before it,
 * publishes again. `maxmemory-policy` must be `noeviction`.
 *
 * Resolves when Redis is connected, or without, after two seconds or when `stopping` says so: calls then reject with `UNAVAILABLE` until
 * it is. Throws `BAD_REQUEST` for a URL that cannot be used (forms: `target.ts`), `CONFIG_INVALID` when Redis refuses
 * the credentials.
 */
export async function openRedis(options: {
  readonly url: string;
  readonly logger?: ConnectionLog;
  /** Nobody waits any more. */
  readonly stopping?: AbortSignal;
}): Promise<Backend> {
  const connection = openConnection(options.url, options.logger);
  const closing = new AbortController();
  try {
    await connection.ready(FIRST_CONNECTION_MS, options.stopping);
  } catch (error) {
    connection.close();
    throw error;
  }
  return {
    channel: createRedisWeightChannel(connection, closing.signal),
    telemetry: createRedisTelemetryStream(connection),
    store: createRedisRolloutStore(connection),
    leases: createRedisLeases(connection),
    cursors: createRedisCursors(connection),
    shared: createRedisSharedState(connection),
    tier: createRedisCacheTier(connection),
    purges: createRedisPurgeChannel(connection, closing.signal),
    connected: connection.connected,
    async close() {
      closing.abort();
      connection.close();
    },
  };
}
