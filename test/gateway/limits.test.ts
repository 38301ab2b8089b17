import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import type { QuotaPolicy, RateLimitPolicy } from '../../src/config/policies/limits.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  type Reply,
  type Upstream,
} from '../support/gateway-harness.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let issuer: TokenIssuer;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  issuer = await openTokenIssuer();
});
afterEach(async () => {
  await harness.close();
  await issuer.close();
});

function rate(changes: Partial<RateLimitPolicy> = {}): RateLimitPolicy {
  return {
    name: 'burst',
    count: 60,
    periodMs: 3_600_000,
    burst: 2,
    key: ['ip'],
    whenDown: 'local',
    ...changes,
  };
}

function quota(changes: Partial<QuotaPolicy> = {}): QuotaPolicy {
  return { name: 'monthly', limit: 2, per: 'month', key: ['ip'], whenDown: 'local', ...changes };
}

function configOf(changes: Partial<Route>, more: Partial<GatewayConfig> = {}): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    jwt: { main: issuer.provider },
    routes: [routeOf('orders', changes)],
    ...more,
  });
}

const statuses = (replies: readonly Reply[]): number[] => replies.map(({ status }) => status);

describe('rate limits', () => {
  it('lets the burst pass, then refuses with 429, saying when to come back and what is left', async () => {
    const gateway = await harness.gateway(configOf({ rateLimits: [rate()] }));
    const replies = [await call(gateway, '/'), await call(gateway, '/'), await call(gateway, '/')];
    expect(statuses(replies)).toEqual([200, 200, 429]);
    expect(replies.map(({ headers }) => headers['ratelimit-policy'])).toEqual(
      Array(3).fill('"burst";q=2;w=120'),
    );
    expect(replies.map(({ headers }) => headers.ratelimit)).toEqual([
      '"burst";r=1;t=60',
      '"burst";r=0;t=120',
      '"burst";r=0;t=60',
    ]);
    const [, , refused] = replies;
    expect(refused?.headers['retry-after']).toBe('60');
    expect(refused?.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(refused?.body ?? '')).toMatchObject({
      status: 429,
      code: 'RATE_LIMITED',
      detail: 'The limit is "burst".',
    });
    expect(upstream.seen).toHaveLength(2);
  });

  it('lets a client that waits as told pass again', async () => {
    const gateway = await harness.gateway(
      configOf({ rateLimits: [rate({ count: 1, periodMs: 1000, burst: 1 })] }),
    );
    expect((await call(gateway, '/')).status).toBe(200);
    const refused = await call(gateway, '/');
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(refused.headers['retry-after'])));
    expect((await call(gateway, '/')).status).toBe(200);
  });

  it('counts by the claim of the validated token, and never by what a client says of itself', async () => {
    const config = configOf({
      auth: { jwt: 'main', optional: true },
      rateLimits: [rate({ burst: 1, key: [{ claim: 'tenant_id' }] })],
    });
    const gateway = await harness.gateway(config);
    const acme = await issuer.bearer({ tenant_id: 'acme' });
    const other = await issuer.bearer({ tenant_id: 'other' });
    const bare = await issuer.bearer({ sub: 'ann' });
    const from = async (authorization: string | null, headers: Record<string, string> = {}) =>
      (await call(gateway, '/', { headers: { ...headers, ...(authorization && { authorization }) } })).status;
    expect([await from(acme), await from(acme)]).toEqual([200, 429]);
    expect([await from(other), await from(acme, { tenant_id: 'fresh' })]).toEqual([200, 429]);
    // Neither a missing token nor a missing claim opens a bucket of its own: both are the address.
    expect([await from(null), await from(bare), await from(null)]).toEqual([200, 429, 429]);
  });

  it('counts by header and route together; without the header by address', async () => {
    const key = [{ header: 'x-plan' }, 'route'] as const;
    const limited = { rateLimits: [rate({ burst: 1, key })] };
    const config = configOf(
      {},
      {
        routes: [
          routeOf('orders', { ...limited, name: 'one', path: { kind: 'prefix', path: '/one' } }),
          routeOf('orders', { ...limited, name: 'two', path: { kind: 'prefix', path: '/two' } }),
        ],
      },
    );
    const gateway = await harness.gateway(config);
    const ask = async (path: string, plan?: string) =>
      (await call(gateway, path, plan === undefined ? {} : { headers: { 'x-plan': plan } })).status;
    expect([await ask('/one', 'a'), await ask('/one', 'a'), await ask('/two', 'a')]).toEqual([200, 429, 200]);
    expect([await ask('/one', 'b'), await ask('/one'), await ask('/one')]).toEqual([200, 200, 429]);
  });

  it('shares one limit between the routes that name it when the route is not in its key', async () => {
    const limited = { rateLimits: [rate({ burst: 1 })] };
    const config = configOf(
      {},
      {
        routes: [
          routeOf('orders', { ...limited, name: 'one', path: { kind: 'prefix', path: '/one' } }),
          routeOf('orders', { ...limited, name: 'two', path: { kind: 'prefix', path: '/two' } }),
        ],
      },
    );
    const gateway = await harness.gateway(config);
    expect(statuses([await call(gateway, '/one'), await call(gateway, '/two')])).toEqual([200, 429]);
  });

  it('counts IPv6 clients by their /64 and believes a forwarded address of trusted proxies only', async () => {
    const ask = async (gateway: Parameters<typeof call>[0], address: string) =>
      (await call(gateway, '/', { headers: { 'x-forwarded-for': address } })).status;
    const behind = await harness.gateway(
      configOf({ rateLimits: [rate({ burst: 1 })] }, { trustedProxies: ['127.0.0.1'] }),
    );
    expect(await ask(behind, '2001:db8:1:2::1')).toBe(200);
    expect(await ask(behind, '2001:db8:1:2:ffff::9')).toBe(429);
    expect(await ask(behind, '2001:db8:1:3::1')).toBe(200);
    const facing = await harness.gateway(configOf({ rateLimits: [rate({ name: 'facing', burst: 1 })] }));
    expect(await ask(facing, '192.0.2.1')).toBe(200);
    expect(await ask(facing, '192.0.2.2')).toBe(429);
  });

  it('takes from no limit when one of several refuses, and names the one that lasts longest', async () => {
    const gateway = await harness.gateway(
      configOf({ rateLimits: [rate({ name: 'wide', burst: 3 })], quotas: [quota({ limit: 1 })] }),
    );
    expect((await call(gateway, '/')).headers.ratelimit).toMatch(/^"wide";r=2;t=60, "monthly";r=0;t=\d+$/);
    for (let i = 0; i < 5; i += 1) {
      const reply = await call(gateway, '/');
      expect([reply.status, JSON.parse(reply.body).code]).toEqual([429, 'QUOTA_EXCEEDED']);
    }
    const reloaded = await gateway.reload(configOf({ rateLimits: [rate({ name: 'wide', burst: 3 })] }));
    expect(reloaded).toEqual({ ok: true });
    // What was counted outlives the reload.
    expect((await call(gateway, '/')).headers.ratelimit).toBe('"wide";r=1;t=120');
  });

  it('refuses before a version is assigned, so that no version is blamed, and shows it in log and metrics', async () => {
    const gateway = await harness.gateway(configOf({ rateLimits: [rate({ burst: 1 })] }));
    for (let i = 0; i < 3; i += 1) await call(gateway, '/');
    const { body } = await admin(gateway, '/metrics');
    const labels = 'sluice_service="orders",sluice_route="orders-all",http_route="/*",limit="burst"';
    expect(body).toContain(`sluice_limit_requests_total{${labels},outcome="allowed"} 1\n`);
    expect(body).toContain(`sluice_limit_requests_total{${labels},outcome="refused"} 2\n`);
    expect(body).toMatch(/server_request_duration_seconds_count\{[^}]*sluice_version="",[^}]*"429"\} 2\n/);
    const summary = await eventually(() =>
      harness.stream.summaries.find(({ versions }) => versions.v1 !== undefined),
    );
    expect(summary.versions.v1?.attempts.outcomes.status2xx).toBe(1);
    const answered = harness.stream.summaries.flatMap(({ versions }) => versions.v1 ?? []);
    expect(answered.every(({ responses }) => responses.outcomes.status4xx === 0)).toBe(true);
  });
});

describe('quotas', () => {
  it('without a name are counted apart when they allow different numbers', async () => {
    const routes = [
      routeOf('orders', {
        name: 'few',
        path: { kind: 'prefix', path: '/few' },
        quotas: [quota({ limit: 1 })],
      }),
      routeOf('orders', {
        name: 'many',
        path: { kind: 'prefix', path: '/many' },
        quotas: [quota({ limit: 100 })],
      }),
    ];
    const gateway = await harness.gateway({ ...configOf({}), routes });
    for (let i = 0; i < 3; i += 1) expect((await call(gateway, '/many')).status).toBe(200);
    expect((await call(gateway, '/few')).status).toBe(200);
    expect((await call(gateway, '/few')).status).toBe(429);
  });

  it('refuses beyond the quota until the period ends', async () => {
    const gateway = await harness.gateway(configOf({ quotas: [quota()] }));
    const replies = [await call(gateway, '/'), await call(gateway, '/'), await call(gateway, '/')];
    expect(statuses(replies)).toEqual([200, 200, 429]);
    const now = new Date();
    const endMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
    const untilS = (endMs - now.getTime()) / 1000;
    const waitS = Number(replies[2]?.headers['retry-after']);
    expect(Math.abs(waitS - untilS)).toBeLessThan(5);
    expect(replies[2]?.headers['ratelimit-policy']).toBe('"monthly";q=2');
    expect(JSON.parse(replies[2]?.body ?? '').code).toBe('QUOTA_EXCEEDED');
  });
});
