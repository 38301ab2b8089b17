import { afterAll, beforeAll } from 'vitest';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import { describeRolloutStore } from '../../conformance/rollout-store.ts';
import { describeServiceLeases } from '../../conformance/service-leases.ts';
import { describeWeightChannel } from '../../conformance/weight-channel.ts';
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
