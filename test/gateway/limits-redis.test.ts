import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../src/adapters/redis/open-redis.ts';
import type { RateLimitPolicy } from '../../src/config/policies/limits.ts';
import type { WhenDown } from '../../src/config/policies/limits-schema.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { eventually } from '../support/eventually.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { MovedTime } from '../support/moved-time.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

let redis: RedisServer;
let harness: GatewayHarness;
let upstream: Upstream;
/** Stands still: nobody is late because the machine is slow. */
let time: MovedTime;

beforeEach(async () => {
  redis = await startRedis();
  time = new MovedTime();
  harness = await GatewayHarness.open();
  harness.onClose(() => redis.stop());
  upstream = await harness.named('v1');
});
afterEach(() => harness.close());

/** A gateway with a connection to Redis of its own, as in another process. */
async function gateway(
  whenDown: WhenDown = 'local',
  changes: Partial<RateLimitPolicy> = {},
): Promise<Gateway> {
  const backend = await openRedis({ url: redis.url });
  harness.onClose(() => backend.close());
  const limit = { name: 'burst', count: 1, periodMs: 3_600_000, burst: 5, key: ['ip'], whenDown } as const;
  const config = gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    routes: [routeOf('orders', { rateLimits: [{ ...limit, ...changes }] })],
  });
  return harness.gateway(config, { shared: backend.shared, monotonicMs: time.read });
}

async function statuses(gateways: readonly Gateway[], count: number): Promise<number[]> {
  const replies = await Promise.all(
    Array.from({ length: count }, (_, index) => call(gateways[index % gateways.length] as Gateway, '/')),
  );
  return replies.map(({ status }) => status);
}

/** After this, one request tries again whether the state can be reached. */
const RETRY_MS = 1_001;

const passed = (all: readonly number[]): number => all.filter((status) => status === 200).length;

describe('limits shared over Redis', () => {
  it('gives two gateways exactly one burst between them', async () => {
    const both = [await gateway(), await gateway()];
    expect(passed(await statuses(both, 40))).toBe(5);
    const third = await gateway();
    expect((await call(third, '/')).status).toBe(429);
  });

  it('local: counts in each gateway alone while Redis is away, and together again when it is back', async () => {
    const both = [await gateway(), await gateway()];
    await redis.kill();
    expect(passed(await statuses(both, 40))).toBe(10);
    const { body } = await admin(both[0] as Gateway, '/metrics');
    expect(body).toMatch(/sluice_limit_requests_total\{[^}]*outcome="without_state"\} 20\n/);
    await redis.restart();
    // Redis came back empty: one burst for both.
    await eventually(async () => {
      time.advance(RETRY_MS);
      await call(both[0] as Gateway, '/');
      return Number(await redis.command('DBSIZE').then((text) => /\d+/.exec(text)?.[0])) > 0;
    }, 30_000);
    await eventually(async () => {
      time.advance(RETRY_MS);
      return (await statuses(both, 10)).every((status) => status === 429);
    }, 30_000);
    const { headers } = await call(both[1] as Gateway, '/');
    expect(headers.ratelimit).toBeDefined();
  });

  it.each([
    ['allow', 200],
    ['deny', 503],
  ] as const)('%s: answers %i while Redis is away', async (whenDown, status) => {
    const one = await gateway(whenDown);
    expect((await call(one, '/')).status).toBe(200);
    await redis.kill();
    expect(await statuses([one], 20)).toEqual(Array(20).fill(status));
    const reply = await call(one, '/');
    expect(reply.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
    expect(reply.headers.ratelimit).toBeUndefined();
  });

  it('waits for a Redis that hangs no longer than the bound, and only one request in a second', async () => {
    const one = await gateway('allow');
    expect((await call(one, '/')).status).toBe(200);
    redis.freeze();
    const waiting = call(one, '/');
    // 50 ms at most, of the gateway's time.
    const startMs = time.read();
    expect((await time.until(waiting, 10)).status).toBe(200);
    expect(time.read() - startMs).toBeGreaterThanOrEqual(50);
    // Time stands still, so one that waited would wait for ever.
    for (let i = 0; i < 20; i += 1) expect((await call(one, '/')).status).toBe(200);
    time.advance(RETRY_MS);
    expect((await time.until(call(one, '/'), 10)).status).toBe(200);
    for (let i = 0; i < 20; i += 1) expect((await call(one, '/')).status).toBe(200);
    redis.thaw();
    await eventually(async () => {
      time.advance(RETRY_MS);
      return (await call(one, '/')).headers.ratelimit !== undefined;
    }, 30_000);
  });
});
