import { afterAll, beforeAll } from 'vitest';
import { openConnection } from '../../../src/adapters/redis/connection.ts';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import { createRedisTelemetryStream } from '../../../src/adapters/redis/telemetry-stream.ts';
import { describeCacheTier } from '../../conformance/cache-tier.ts';
import { describeNotificationCursors } from '../../conformance/notification-cursors.ts';
import { describePurgeChannel } from '../../conformance/purge-channel.ts';
import { describeRolloutStore } from '../../conformance/rollout-store.ts';
import { describeServiceLeases } from '../../conformance/service-leases.ts';
import { describeSharedState } from '../../conformance/shared-state.ts';
import { describeTelemetryStream } from '../../conformance/telemetry-stream.ts';
import { describeWeightChannel } from '../../conformance/weight-channel.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.stop());

async function open() {
  await server.command('FLUSHALL');
  return openRedis({ url: server.url });
}

describeWeightChannel('Redis', open);
describeRolloutStore('Redis', open);
describeServiceLeases('Redis', open);
describeNotificationCursors('Redis', open);
describeSharedState('Redis', open);
describePurgeChannel('Redis', open);
describeCacheTier('Redis', open);
describeTelemetryStream('Redis', async (cap) => {
  await server.command('FLUSHALL');
  const connection = openConnection(server.url, undefined);
  await connection.ready(5000);
  return {
    stream: createRedisTelemetryStream(connection, { cap }),
    close: async () => connection.close(),
  };
});
