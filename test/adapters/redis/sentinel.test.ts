import { afterEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import type { Backend } from '../../../src/ports/backend.ts';
import { createRecordingListener } from '../../conformance/recording-listener.ts';
import { sampleSplit } from '../../conformance/samples.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedisSentinel, startRedisSentinel } from '../../support/redis-server.ts';

let sentinel: RedisSentinel;
let backend: Backend;
const watching = new AbortController();

afterEach(async () => {
  watching.abort();
  await backend?.close();
  await sentinel?.stop();
});

describe('a failover by Sentinel', () => {
  it('is followed: watches go on and writes reach the new master', { timeout: 120_000 }, async () => {
    sentinel = await startRedisSentinel();
    backend = await openRedis({ url: sentinel.url });
    const { channel } = backend;
    const listener = createRecordingListener();
    await channel.watch(['orders'], listener, watching.signal);
    expect(await channel.write(sampleSplit({ revision: 1 }))).toEqual({ ok: true });
    await eventually(() => listener.splits.length === 1);

    const lease = () => backend.leases.acquire('orders', 'operator-1', '', 60_000);
    const before = await lease();

    await sentinel.killMaster();
    await eventually(async () => (await channel.write(sampleSplit({ revision: 2 }))).ok, 20_000);
    await eventually(() => listener.splits.length === 2);
    expect(listener.splits.map(({ revision }) => revision)).toEqual([1, 2]);
    expect(listener.connections).toEqual([true, false, true]);
    // Replication is asynchronous: the new master may lack the newest writes, so the lease has a new epoch.
    const after = await lease();
    if (!before.ok || !after.ok) throw new Error('not granted');
    expect(after.grant.epoch).toBeGreaterThan(before.grant.epoch);
  });
});
