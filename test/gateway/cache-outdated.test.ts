import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../src/adapters/redis/open-redis.ts';
import type { Purge } from '../../src/core/policy/cache/purge.ts';
import { PurgeAnnouncer } from '../../src/gateway/cache/purge-announcer.ts';
import { DeadlineWheel } from '../../src/gateway/deadlines.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { PurgeChannel } from '../../src/ports/purge-channel.ts';
import { cached, numbered, status } from '../support/caching-gateway.ts';
import { call, eventually, GatewayHarness, type Reply } from '../support/gateway-harness.ts';
import { MovedTime } from '../support/moved-time.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { silentLogger } from '../support/silent-logger.ts';

let harness: GatewayHarness;
let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.stop());

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

const KEPT = { 'cache-control': 'max-age=60' };

const ask = (gateway: Gateway, path: string, method = 'GET'): Promise<Reply> =>
  call(gateway, path, { method, headers: { host: 'shop.example' } });

async function isHit(gateway: Gateway, path: string): Promise<boolean> {
  const headers = { host: 'shop.example', 'cache-control': 'only-if-cached' };
  return status(await call(gateway, path, { headers })).includes('hit');
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await check())) if (performance.now() > deadline) expect.fail('not within 20 s');
}

describe.each(['embedded', 'Redis'])('what an unsafe request outdates, %s', (kind) => {
  async function channel(): Promise<PurgeChannel> {
    if (kind === 'embedded') return harness.purges;
    await server.command('FLUSHALL');
    const backend = await openRedis({ url: server.url });
    harness.onClose(() => backend.close());
    return backend.purges;
  }

  it('is dropped from the memory of every gateway', async () => {
    const purges = await channel();
    const { config } = await cached(harness, numbered(KEPT));
    const [one, two] = [await harness.gateway(config, { purges }), await harness.gateway(config, { purges })];
    for (const path of ['/a', '/a?x=1&y=2', '/b']) await ask(two, path);
    await ask(one, '/a?y=2&x=1', 'PUT');
    await until(async () => !(await isHit(two, '/a?x=1&y=2')));
    expect([await isHit(two, '/a'), await isHit(two, '/b')]).toEqual([true, true]);
  });
});

describe('what no route can have stored', () => {
  it('is not announced', async () => {
    const { config } = await cached(
      harness,
      numbered(KEPT),
      {},
      { path: { kind: 'template', path: '/{id}/x' } },
    );
    const gateway = await harness.gateway(config);
    for (const path of ['/a', '/a/y', '/a/x/z']) await ask(gateway, path, 'PUT');
    const { sequence } = await harness.purges.publish({ by: 'tag', value: 'last', service: null });
    expect(sequence).toBe(1);
    await ask(gateway, '/a/x', 'PUT');
    expect((await harness.purges.publish({ by: 'tag', value: 'last', service: null })).sequence).toBe(3);
  });
});

describe('an announcer whose channel is away', () => {
  function opened() {
    const time = new MovedTime();
    const wheel = new DeadlineWheel(time.read);
    harness.onClose(async () => wheel.close());
    const told: string[][] = [];
    const state = { away: true, asked: 0 };
    const announcer = new PurgeAnnouncer({
      channel: {
        async announce(purges: readonly Purge[]) {
          state.asked += 1;
          if (state.away) throw new Error('away');
          told.push(purges.map(({ value }) => value));
        },
      },
      wheel,
      monotonicMs: time.read,
      logger: silentLogger,
    });
    const url = (value: string): void => announcer.announce({ by: 'url', value, service: 'shop' });
    return { url, told, state, time };
  }

  it('tells all of it, once and in order, when it is back', async () => {
    const { url, told, state, time } = opened();
    url('/1');
    await eventually(() => state.asked === 1);
    for (const value of ['/2', '/1', '/3']) url(value);
    state.away = false;
    await time.until(
      eventually(() => told.length === 1),
      500,
    );
    expect(told).toEqual([['/1', '/2', '/3']]);
  });

  it('tells to drop everything when there was too much to remember', async () => {
    const { url, told, state, time } = opened();
    for (let n = 0; n < 1_002; n += 1) url(`/${n}`);
    state.away = false;
    await time.until(
      eventually(() => told.length === 1),
      500,
    );
    // `/0` was on its way when the others came; `/` with all below it stands for those that did not fit.
    expect(told).toEqual([['/0', '/', '/1001']]);
  });
});
