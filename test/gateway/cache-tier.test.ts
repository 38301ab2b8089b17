import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../src/adapters/redis/open-redis.ts';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { Backend } from '../../src/ports/backend.ts';
import type { CacheTier } from '../../src/ports/cache-tier.ts';
import { type Answer, cached, numbered, status } from '../support/caching-gateway.ts';
import { admin, call, eventually, GatewayHarness, type Reply, splitOf } from '../support/gateway-harness.ts';
import { MovedTime } from '../support/moved-time.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

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

interface Pair {
  readonly one: Gateway;
  readonly two: Gateway;
  readonly calls: () => number;
  readonly purge: (value: string) => Promise<unknown>;
  readonly config: GatewayConfig;
}

async function openBackend(kind: string): Promise<Pick<Backend, 'tier' | 'purges'>> {
  if (kind === 'embedded') return harness;
  await server.command('FLUSHALL');
  const backend = await openRedis({ url: server.url });
  harness.onClose(() => backend.close());
  return backend;
}

/** Waits until what was put is there: nobody waits for that in the gateway. */
function counted(tier: CacheTier): CacheTier & { readonly puts: () => number } {
  let puts = 0;
  return {
    get: (resource, key) => tier.get(resource, key),
    drop: (resource) => tier.drop(resource),
    puts: () => puts,
    async put(...args) {
      await tier.put(...args);
      puts += 1;
    },
  };
}

describe.each(['embedded', 'Redis'])('gateways that share their cache, %s', (kind) => {
  let puts: () => number;

  async function pair(answer: Answer, policy: Parameters<typeof cached>[2] = {}): Promise<Pair> {
    const { purges, tier } = await openBackend(kind);
    const counting = counted(tier);
    puts = counting.puts;
    // The first gateway is only there for the upstream and the configuration.
    const { config, calls } = await cached(harness, answer, policy, {}, { cacheRedis: true });
    // Nobody gives the tier up because the machine is slow.
    const { read: monotonicMs } = new MovedTime();
    const open = () => harness.gateway(config, { purges, tier: counting, monotonicMs });
    const [one, two] = [await open(), await open()];
    const purge = (value: string) => purges.publish({ by: 'tag', value, service: null });
    return { one, two, calls, purge, config };
  }

  const ask = (gateway: Gateway, path: string, headers: Record<string, string> = {}): Promise<Reply> =>
    call(gateway, path, { headers: { host: 'shop.example', ...headers } });

  it('answer from what another one stored', async () => {
    const { one, two, calls } = await pair(numbered({ ...KEPT, 'x-a': '1' }));
    const first = await ask(one, '/a');
    await eventually(() => puts() === 1);
    const second = await ask(two, '/a');
    expect([second.body, second.headers['x-a'], calls()]).toEqual(['call 1', '1', 1]);
    expect(status(second)).toMatch(/^sluice; hit; ttl=\d+$/);
    expect(second.headers.date).toBe(first.headers.date);
    expect((await admin(two, '/metrics')).body).toContain('sluice_cache_tier_hits_total 1');
    // Now it is here as well.
    expect((await ask(two, '/a')).body).toBe('call 1');
    expect((await admin(two, '/metrics')).body).toContain('sluice_cache_tier_hits_total 1');
  });

  it('tell variants and versions apart', async () => {
    const { one, two, calls } = await pair((request, response) =>
      response
        .writeHead(200, { ...KEPT, vary: 'accept-language' })
        .end(`${request.headers['accept-language']}`),
    );
    for (const language of ['de', 'fr']) await ask(one, '/a', { 'accept-language': language });
    await eventually(() => puts() === 4);
    for (const language of ['fr', 'de']) {
      expect((await ask(two, '/a', { 'accept-language': language })).body).toBe(language);
    }
    expect(calls()).toBe(2);
    await harness.channel.write(splitOf('shop', 1, 10_000));
    await eventually(() => two.splits()[0]?.split.revision === 1);
    await ask(two, '/a', { 'accept-language': 'de' });
    expect(calls()).toBe(3);
  });

  it('obey purges, of gateways that had not started yet too', async () => {
    const { one, two, calls, purge } = await pair(numbered({ ...KEPT, 'cache-tag': 'shoes' }), {
      tags: 'cache-tag',
    });
    await ask(one, '/a');
    await eventually(() => puts() === 1);
    await purge('shirts');
    await purge('shoes');
    // Stored before the purge; it is still in the tier.
    const purged = async () => (await ask(two, '/a')).body === 'call 2';
    expect(await purged()).toBe(true);
    expect(calls()).toBe(2);
  });

  it('drop what an unsafe request outdated', async () => {
    const { one, two, calls } = await pair(numbered(KEPT));
    await ask(one, '/a');
    await eventually(() => puts() === 1);
    await call(one, '/a', { method: 'POST', headers: { host: 'shop.example' } });
    const again = await ask(two, '/a');
    expect([again.body, calls()]).toEqual(['call 3', 3]);
  });

  it('share neither what is too large nor what may not serve any more', async () => {
    const { one } = await pair(
      (_request, response, n) =>
        n === 1
          ? response.writeHead(200, KEPT).end(Buffer.alloc(1_048_577))
          : response.writeHead(200, { 'cache-control': 'no-cache', etag: '"1"' }).end('a'),
      { maxBytes: 4_000_000, staleIfErrorMs: 0 },
    );
    for (const path of ['/1', '/2']) await ask(one, path);
    expect((await ask(one, '/1')).headers['content-length']).toBe('1048577');
    expect(puts()).toBe(0);
  });
});

describe('gateways whose tier is away', () => {
  it('go on with what they have and what upstreams say', async () => {
    const own = await startRedis();
    harness.onClose(() => own.stop());
    const backend = await openRedis({ url: own.url });
    harness.onClose(() => backend.close());
    const { config, calls } = await cached(harness, numbered(KEPT), {}, {}, { cacheRedis: true });
    const gateway = await harness.gateway(config, { tier: backend.tier, purges: backend.purges });
    own.freeze();
    expect((await call(gateway, '/a')).body).toBe('call 1');
    expect((await call(gateway, '/a')).body).toBe('call 1');
    expect(calls()).toBe(1);
    expect(harness.log.join('')).toContain('the cache is not shared: the tier cannot be reached');
    own.thaw();
    await eventually(() => harness.log.join('').includes('the cache is shared again') || askAnother(gateway));
  });
});

let asked = 0;

/** Asks for something new, so that the tier is asked; says nothing about the answer. */
function askAnother(gateway: Gateway): false {
  asked += 1;
  void call(gateway, `/other/${asked}`).catch(() => undefined);
  return false;
}
