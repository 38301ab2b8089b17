import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../../src/adapters/redis/connection.ts';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import { createRedisTelemetryStream } from '../../../src/adapters/redis/telemetry-stream.ts';
import { describeCacheTier } from '../../conformance/cache-tier.ts';
import { describeNotificationCursors } from '../../conformance/notification-cursors.ts';
import { describePurgeChannel } from '../../conformance/purge-channel.ts';
import { createRecordingListener } from '../../conformance/recording-listener.ts';
import { describeRolloutStore } from '../../conformance/rollout-store.ts';
import { describeServiceLeases } from '../../conformance/service-leases.ts';
import { describeSharedState } from '../../conformance/shared-state.ts';
import { describeTelemetryStream } from '../../conformance/telemetry-stream.ts';
import { describeWeightChannel } from '../../conformance/weight-channel.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis-server.ts';

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster?.stop());

async function open() {
  await cluster.clear();
  return openRedis({ url: cluster.url });
}

describeWeightChannel('Redis Cluster', open);
describeRolloutStore('Redis Cluster', open);
describeServiceLeases('Redis Cluster', open);
describeNotificationCursors('Redis Cluster', open);
describeSharedState('Redis Cluster', open);
describePurgeChannel('Redis Cluster', open);
describeCacheTier('Redis Cluster', open);
describeTelemetryStream('Redis Cluster', async (cap) => {
  await cluster.clear();
  const connection = openConnection(cluster.url, undefined);
  await connection.ready(5000);
  return {
    stream: createRedisTelemetryStream(connection, { cap }),
    close: async () => connection.close(),
  };
});

describe('a Redis Cluster that is down', () => {
  it('fails calls within three seconds, and says so to watchers', async () => {
    const backend = await open();
    const listener = createRecordingListener();
    const watching = new AbortController();
    await backend.channel.watch(['orders'], listener, watching.signal);
    await cluster.stop();
    await eventually(() => listener.connections.at(-1) === false);
    const startMs = performance.now();
    await expect(backend.channel.read('orders')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - startMs).toBeLessThan(3000);
    watching.abort();
    await backend.close();
  });
});
