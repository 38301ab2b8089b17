import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PURGE_KEYS } from '../../../src/adapters/redis/keys.ts';
import { openRedis } from '../../../src/adapters/redis/open-redis.ts';
import { PURGES_KEPT } from '../../../src/core/policy/cache/purge.ts';
import type { Backend } from '../../../src/ports/backend.ts';
import { recordingPurges, tagged } from '../../conformance/purge-channel.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

let server: RedisServer;
let gateway: Backend;
let operator: Backend;
let watching: AbortController;

async function start(persistent: boolean): Promise<void> {
  server = await startRedis({ persistent });
  [gateway, operator] = await Promise.all([openRedis({ url: server.url }), openRedis({ url: server.url })]);
}

beforeEach(() => {
  watching = new AbortController();
});

afterEach(async () => {
  watching.abort();
  await gateway?.close();
  await operator?.close();
  await server?.stop();
});

async function watch() {
  const listener = recordingPurges();
  await gateway.purges.watch('gw-1', listener, watching.signal);
  return listener;
}

/** As `publish-purge` does, but nobody is told: what a lost message is like. */
async function publishUnheard(sequence: number): Promise<void> {
  const raw = new Redis(server.port, '127.0.0.1');
  await raw.hincrby(PURGE_KEYS.state, 'sequence', 1);
  await raw.zadd(PURGE_KEYS.log, sequence, `${sequence} some-id ${JSON.stringify(tagged('lost'))}`);
  raw.disconnect();
}

describe('purges over Redis', () => {
  it('make a lost message good by the next read', async () => {
    await start(false);
    const listener = await watch();
    await operator.purges.publish(tagged('a'));
    await publishUnheard(2);
    await eventually(() => listener.heard.length === 2);
    await publishUnheard(3);
    await operator.purges.publish(tagged('d'));
    await eventually(() => listener.heard.length === 4);
    expect(listener.heard).toEqual(['1 a', '2 lost', '3 lost', '4 d']);
    expect(listener.histories).toHaveLength(1);
  });

  it('are caught up with after an outage', async () => {
    await start(true);
    const listener = await watch();
    await operator.purges.publish(tagged('a'));
    await eventually(() => listener.heard.length === 1);
    await server.restart();
    await eventually(async () => (await operator.purges.publish(tagged('b')).catch(() => null)) !== null);
    await eventually(() => listener.heard.includes('2 b'));
    expect(listener.histories).toHaveLength(1);
  });

  it('count as missed when a failover lost one and gave its number to another', async () => {
    await start(false);
    const listener = await watch();
    await operator.purges.publish(tagged('a'));
    await eventually(() => listener.heard.length === 1);
    const raw = new Redis(server.port, '127.0.0.1');
    const other = `1 some-id ${JSON.stringify(tagged('a'))}`;
    await raw.multi().del(PURGE_KEYS.log).zadd(PURGE_KEYS.log, 1, other).exec();
    raw.disconnect();
    await eventually(() => listener.histories.length === 2);
    expect(listener.histories[1]).toMatchObject({ sequence: 1, purges: [{ ...tagged('a'), sequence: 1 }] });
    await operator.purges.publish(tagged('b'));
    await eventually(() => listener.heard.includes('2 b'));
    expect(listener.histories).toHaveLength(2);
  });

  it('count as missed when Redis has forgotten them, or remembers too few', async () => {
    await start(false);
    const listener = await watch();
    await operator.purges.publish(tagged('a'));
    await server.restart();
    await eventually(() => listener.histories.length === 2);
    expect(listener.histories[1]).toMatchObject({ sequence: 0, purges: [] });
    expect(listener.histories[1]?.generation).not.toBe(listener.histories[0]?.generation);

    // More than are remembered, unheard.
    await server.command('HSET', PURGE_KEYS.state, 'sequence', String(PURGES_KEPT * 2));
    await eventually(() => listener.histories.length === 3);
    expect(listener.histories[2]).toMatchObject({ sequence: PURGES_KEPT * 2, purges: [] });
    await operator.purges.publish(tagged('b'));
    await eventually(() => listener.heard.includes(`${PURGES_KEPT * 2 + 1} b`));
  });

  it('are refused with UNAVAILABLE while Redis is away', async () => {
    await start(false);
    await server.kill();
    await expect(operator.purges.publish(tagged('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
