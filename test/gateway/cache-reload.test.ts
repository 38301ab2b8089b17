import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CachePolicy, GatewayConfig } from '../../src/config/gateway-model.ts';
import { completeCache } from '../../src/config/policies/cache.ts';
import { cached, numbered } from '../support/caching-gateway.ts';
import { call, GatewayHarness } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

function withPolicy(config: GatewayConfig, changes: Partial<CachePolicy>): GatewayConfig {
  const policy = completeCache({});
  if (policy === null) throw new Error('an empty policy is a policy');
  const routes = config.routes.map((route) =>
    route.cache === null ? route : { ...route, cache: { ...policy, ...changes } },
  );
  return { ...config, routes };
}

const OLD = { date: new Date(Date.now() - 30_000).toUTCString() };
const GUESSED = { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' };
const SAID = { 'cache-control': 'max-age=3600' };
const COOKIE = { ...SAID, 'set-cookie': 'session=ann' };

describe('what is stored when a reload changes the policy', () => {
  it.each<[string, Record<string, string>, Partial<CachePolicy>, Partial<CachePolicy>]>([
    ['a shorter ttl', OLD, { ttlMs: 3_600_000 }, { ttlMs: 1_000 }],
    ['a ttl below what it says itself', { ...OLD, ...SAID }, {}, { ttlMs: 1_000 }],
    ['no ttl any more', {}, { ttlMs: 3_600_000 }, {}],
    ['no guesses any more', GUESSED, {}, { heuristic: false }],
    ['no responses with cookies', COOKIE, { setCookie: 'keep' }, { setCookie: 'refuse' }],
    ['no cookies', COOKIE, { setCookie: 'keep' }, { setCookie: 'strip' }],
    ['tags that it was not asked for', SAID, {}, { tags: 'surrogate-key' }],
    ['another field in the key', { ...SAID }, { headers: ['x-a'] }, { headers: ['x-b'] }],
  ])('is judged by the new one: %s', async (_what, fields, before, after) => {
    const { gateway, config } = await cached(harness, numbered(fields), before);
    const headers = { 'x-a': '1', 'x-b': '1' };
    await call(gateway, '/', { headers });
    expect((await call(gateway, '/', { headers })).body).toBe('call 1');
    expect(await gateway.reload(withPolicy(config, after))).toEqual({ ok: true });
    expect((await call(gateway, '/', { headers })).body).toBe('call 2');
  });

  it('stays where the new one keeps it as well, and gets a longer life where that is given', async () => {
    const { gateway, config, calls } = await cached(harness, numbered(OLD), { ttlMs: 600_000 });
    await call(gateway, '/');
    await gateway.reload(withPolicy(config, { ttlMs: 3_600_000, staleIfErrorMs: 0 }));
    const again = await call(gateway, '/');
    expect([again.body, calls()]).toEqual(['call 1', 1]);
    expect(Number(/ttl=(\d+)/.exec(String(again.headers['cache-status']))?.[1])).toBeGreaterThan(3_000);
  });

  it('by its own word is confirmed by its own word where the caller is known, else by the route’s', async () => {
    const { gateway, calls } = await cached(
      harness,
      (request, response) => {
        const fields = {
          etag: '"a"',
          'cache-control': 'max-age=1',
          date: new Date(Date.now() - 5_000).toUTCString(),
        };
        response.writeHead(request.headers['if-none-match'] === undefined ? 200 : 304, fields).end();
      },
      { ttlMs: 3_600_000 },
    );
    const known = { headers: { cookie: 'session=ann' } };
    for (const count of [1, 2, 3]) {
      await call(gateway, '/', known);
      expect(calls()).toBe(count);
    }
    await call(gateway, '/');
    expect(calls()).toBe(4);
    await call(gateway, '/');
    expect(calls()).toBe(4);
  });
});
