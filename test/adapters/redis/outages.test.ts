import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serviceKeys } from '../../../src/adapters/redis/keys.ts';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import type { Backend } from '../../../src/ports/backend.ts';
import { createRecordingListener } from '../../conformance/recording-listener.ts';
import {
  sampleAcknowledgement,
  sampleRecord,
  sampleSplit,
  sampleSummary,
} from '../../conformance/samples.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

let server: RedisServer;
let backend: Backend;
let raw: Redis;
let watching: AbortController;

async function start(options: { persistent: boolean }): Promise<void> {
  server = await startRedis(options);
  backend = await openRedis({ url: server.url });
  raw = new Redis(server.port, '127.0.0.1');
  raw.on('error', () => undefined);
}

beforeEach(() => {
  watching = new AbortController();
});
afterEach(async () => {
  watching.abort();
  raw?.disconnect();
  await backend?.close();
  await server?.stop();
});

async function watch(service = 'orders') {
  const listener = createRecordingListener();
  await backend.channel.watch([service], listener, watching.signal);
  return listener;
}

async function epochOfLease(): Promise<number> {
  const result = await backend.leases.acquire('orders', 'operator-1', '', 60_000);
  if (!result.ok) throw new Error(`held by ${result.holder}`);
  return result.grant.epoch;
}

async function failure(
  action: Promise<unknown>,
): Promise<{ code: unknown; message: string; tookMs: number }> {
  const startMs = performance.now();
  const error: unknown = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('expected a rejection');
  const code = 'code' in error ? error.code : undefined;
  return { code, message: error.message, tookMs: performance.now() - startMs };
}

describe('a Redis that is killed and restarted with its data', () => {
  it('loses no document: the watch says so, comes back and delivers only what is newer', async () => {
    await start({ persistent: true });
    const listener = await watch();
    await backend.channel.write(sampleSplit({ revision: 1 }));
    await eventually(() => listener.splits.length === 1);

    await server.kill();
    await eventually(() => listener.connections.at(-1) === false);
    await server.restart();
    await eventually(() => listener.connections.at(-1) === true);
    expect(await backend.channel.read('orders')).toEqual(sampleSplit({ revision: 1 }));

    expect(await backend.channel.write(sampleSplit({ revision: 2 }))).toEqual({ ok: true });
    await eventually(() => listener.splits.length === 2);
    await eventually(
      async () => (await backend.channel.renew('orders', 2, 1)).ok && listener.renewals.length > 0,
    );
    expect(listener.splits.map(({ revision }) => revision)).toEqual([1, 2]);
    expect(listener.connections).toEqual([true, false, true]);
  });

  it('keeps commits and cursors; the holder keeps its lease under a higher epoch', async () => {
    await start({ persistent: true });
    const epoch = await epochOfLease();
    await backend.store.commit({ record: sampleRecord(1), events: [], epoch });
    await backend.cursors.save('slack', 'orders-v2', 4);
    await server.restart();
    await eventually(async () => (await backend.store.load('orders-v2')) !== null);
    expect(await backend.store.load('orders-v2')).toEqual(sampleRecord(1));
    expect(await backend.cursors.load('slack', 'orders-v2')).toBe(4);
    const other = await backend.leases.acquire('orders', 'operator-2', '', 60_000);
    expect(other).toMatchObject({ ok: false, holder: 'operator-1' });
    // What Redis lost may be the newest writes only, which nobody can see: so every restart fences.
    const again = await epochOfLease();
    expect(again).toBeGreaterThan(epoch);
    expect(await epochOfLease()).toBe(again);
  });
});

describe('a Redis that is killed and restarted without its data', () => {
  it('lets the operator publish again under a higher epoch, and watchers accept it', async () => {
    await start({ persistent: false });
    const listener = await watch();
    const epoch = await epochOfLease();
    await backend.channel.write(sampleSplit({ revision: 7, epoch }));
    await eventually(() => listener.splits.length === 1);

    // Epochs are at least the time in seconds, so the next one is higher once the second is over.
    await eventually(() => Math.floor(Date.now() / 1000) > epoch);
    await server.restart();
    await eventually(async () => (await backend.channel.read('orders')) === null);
    const again = await epochOfLease();
    expect(again).toBeGreaterThan(epoch);
    expect(await backend.channel.renew('orders', 7, epoch)).toEqual({
      ok: false,
      cause: 'revision-conflict',
      current: null,
    });
    expect(await backend.channel.write(sampleSplit({ revision: 1, epoch: again }))).toEqual({ ok: true });
    await eventually(() => listener.splits.length === 2);
    expect(listener.splits.map(({ revision }) => revision)).toEqual([7, 1]);
  });

  it('never delivers an older document than before', async () => {
    await start({ persistent: false });
    const listener = await watch();
    await backend.channel.write(sampleSplit({ revision: 7, epoch: 5 }));
    await eventually(() => listener.splits.length === 1);
    await server.restart();
    await eventually(async () => (await backend.channel.read('orders')) === null);
    await backend.channel.write(sampleSplit({ revision: 6, epoch: 5 }));
    await backend.channel.write(sampleSplit({ revision: 7, epoch: 5 }));
    await backend.channel.write(sampleSplit({ revision: 8, epoch: 5 }));
    await eventually(() => listener.splits.length > 1);
    expect(listener.splits.map(({ revision }) => revision)).toEqual([7, 8]);
  });

  it('tells a reader of telemetry once that summaries are lost', async () => {
    await start({ persistent: false });
    await backend.telemetry.emit(sampleSummary(1));
    const before = await backend.telemetry.read('orders', null, 10);
    await server.restart();
    await eventually(async () => (await backend.channel.read('orders')) === null);
    await backend.telemetry.emit(sampleSummary(2));
    const after = await backend.telemetry.read('orders', before.cursor, 10);
    expect(after).toMatchObject({ summaries: [sampleSummary(2)], lost: true });
    expect(await backend.telemetry.read('orders', after.cursor, 10)).toMatchObject({
      summaries: [],
      lost: false,
    });
  });
});

describe('a lost message', () => {
  it('is made good by reading again: a document', async () => {
    await start({ persistent: false });
    const listener = await watch();
    const split = sampleSplit({ revision: 3 });
    // What a write does, without the message.
    await raw.hset(serviceKeys('orders').split, {
      epoch: 1,
      revision: 3,
      renewals: 1,
      document: JSON.stringify(split),
    });
    await eventually(() => listener.splits.length === 1);
    expect(listener.splits).toEqual([split]);
  });

  it('is made good by reading again: a renewal', async () => {
    await start({ persistent: false });
    await backend.channel.write(sampleSplit());
    const listener = createRecordingListener();
    await backend.channel.watch(['orders', 'users'], listener, watching.signal);
    await raw.hincrby(serviceKeys('orders').split, 'renewals', 1);
    await eventually(() => listener.renewals.length === 1);

    // A counter that goes back is a loss of data and renews nothing. The other service shows that it was read.
    await raw.hset(serviceKeys('orders').split, 'renewals', 0);
    const users = {
      epoch: 1,
      revision: 1,
      renewals: 1,
      document: JSON.stringify(sampleSplit({ service: 'users' })),
    };
    await raw.hset(serviceKeys('users').split, users);
    await eventually(() => listener.splits.length === 2);
    expect(listener.renewals).toEqual(['orders@1']);
    await raw.hincrby(serviceKeys('orders').split, 'renewals', 1);
    await eventually(() => listener.renewals.length === 2);
  });

  it('is made good when the subscription was cut off', async () => {
    await start({ persistent: false });
    const listener = await watch();
    for (let revision = 1; revision <= 5; revision += 1) {
      await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await backend.channel.write(sampleSplit({ revision }));
      await eventually(() => listener.splits.at(-1)?.revision === revision);
    }
    expect(listener.splits.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a Redis that is down', () => {
  it('fails calls at once and says what is wrong', async () => {
    await start({ persistent: false });
    await server.kill();
    await eventually(async () =>
      (await failure(backend.channel.read('orders'))).message.includes('ECONNREFUSED'),
    );
    const { code, message, tookMs } = await failure(backend.channel.write(sampleSplit()));
    expect(code).toBe('UNAVAILABLE');
    expect(message).toContain(`redis://127.0.0.1:${server.port} did not answer: connect ECONNREFUSED`);
    expect(tookMs).toBeLessThan(200);
  });

  it('fails calls after two seconds when it hangs', async () => {
    await start({ persistent: false });
    await backend.channel.read('orders');
    server.freeze();
    const { code, tookMs } = await failure(backend.channel.read('orders'));
    expect(code).toBe('UNAVAILABLE');
    expect(tookMs).toBeGreaterThan(1500);
    expect(tookMs).toBeLessThan(4000);
    server.thaw();
    await eventually(async () => (await backend.channel.read('orders')) === null);
  });

  it('does not get a command again that had no answer when the connection broke', async () => {
    await start({ persistent: true });
    await backend.telemetry.emit(sampleSummary(1));
    server.freeze();
    const emitted = failure(backend.telemetry.emit(sampleSummary(2)));
    await server.restart();
    expect((await emitted).code).toBe('UNAVAILABLE');
    await eventually(async () => (await backend.channel.read('orders')) === null);
    const { summaries } = await backend.telemetry.read('orders', null, 10);
    expect(summaries).toEqual([sampleSummary(1)]);
  });

  it('does not keep a backend from opening; its watch delivers once Redis is there', async () => {
    await start({ persistent: true });
    await backend.channel.write(sampleSplit({ revision: 9 }));
    await server.kill();
    await backend.close();
    backend = await openRedis({ url: server.url });
    const listener = await watch();
    expect(listener).toMatchObject({ splits: [], connections: [false] });
    await server.restart();
    await eventually(() => listener.splits.length === 1);
    expect(listener.connections).toEqual([false, true]);
  });

  it('is not waited for when it is up and refuses the password, which is never shown', async () => {
    server = await startRedis({ password: 'right-secret' });
    const wrong = openRedis({ url: `redis://:wrong-secret@127.0.0.1:${server.port}` });
    const { code, message } = await failure(wrong);
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toMatch(/WRONGPASS|NOAUTH/);
    expect(message).not.toContain('secret');
    backend = await openRedis({ url: `redis://:right-secret@127.0.0.1:${server.port}/3` });
    expect(await backend.channel.read('orders')).toBeNull();
  });
});

describe('what is left behind', () => {
  it('is no gateway silent for over a minute', async () => {
    await start({ persistent: false });
    await backend.channel.acknowledge(sampleAcknowledgement());
    const old = `${Date.now() - 61_000}:${JSON.stringify(sampleAcknowledgement({ gateway: 'silent' }))}`;
    await raw.hset(serviceKeys('orders').acknowledgements, 'silent', old);
    const live = await backend.channel.acknowledgements('orders');
    expect(live.map(({ gateway }) => gateway)).toEqual(['gateway-1']);
  });

  it('is no subscription of a watch that ended, and no connection of a closed backend', async () => {
    await start({ persistent: false });
    await watch();
    const subscribers = async () => (await raw.pubsub('NUMSUB', serviceKeys('orders').changes))[1];
    await eventually(async () => (await subscribers()) === 1);
    watching.abort();
    await eventually(async () => (await subscribers()) === 0);
    await backend.close();
    await eventually(async () => !String(await raw.client('LIST')).includes('sluice'));
  });
});
