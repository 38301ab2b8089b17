import { describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import { DEFAULT_LISTENER_LIMITS } from '../../src/config/policies/listeners.ts';
import { PLAIN } from '../support/gateway-config.ts';
import { edited, expectFinding, readCases } from './findings-table.ts';

const SOUND = `listeners:
  - address: 127.0.0.1:8080
trustedProxies: [10.0.0.0/8]
drain: 30s
identity:
  jwt:
    main: { issuer: https://id.example, audience: shop, jwks: { file: keys.json } }
services:
  orders:
    versions:
      v1: { endpoints: [http://127.0.0.1:9001] }
      v2: { endpoints: [{ url: http://127.0.0.1:9002 }] }
    default: v1
    sticky: [{ cookie: sluice_id }, ip]
policies:
  base:
    timeout: { connect: 500ms, total: 8s }
    retry: { attempts: 2, on: [502, reset], backoff: { base: 10ms } }
  careful:
    extends: base
    timeout: { total: 4s }
routes:
  - name: orders
    match: { prefix: /orders, methods: [GET, POST] }
    service: orders
    policy: careful
  - name: order
    match: { path: '/orders/{id}' }
    service: orders
`;

function load(text: string) {
  return loadGatewayConfig({ name: 'gateway.yaml', text, absolutePath: '/srv/proxy/gateway.yaml' });
}

function sound(text: string): GatewayConfig {
  const { value, diagnostics } = load(text);
  expect(diagnostics.filter((diagnostic) => diagnostic.severity === 'error')).toEqual([]);
  if (!value) expect.fail('no value');
  return value;
}

function route(text: string, name: string): Route {
  const found = sound(text).routes.find((each) => each.name === name);
  if (!found) expect.fail(`no route ${name}`);
  return found;
}

const CASES = [...readCases('gateway'), ...readCases('identity'), ...readCases('observe')];

describe('loadGatewayConfig', () => {
  it('takes the file of the access log as it takes all paths: relative to the configuration', () => {
    const { accessLog } = sound(`accessLog: { file: ../access.log }\n${SOUND}`);
    expect(accessLog).toEqual({ kind: 'file', path: '/srv/access.log' });
  });

  it.each(CASES)('finds $title', (bad) => {
    const text = edited(SOUND, bad);
    expectFinding(load(text), text, bad);
  });

  it('says nothing about a header that is declared to be believed', () => {
    const text = SOUND.replace('{ cookie: sluice_id }', '{ header: X-User, trustClient: true }').replace(
      '    policy: careful',
      '    rateLimits: [{ name: a, rate: 1/s, key: [{ header: X-Plan, trustClient: true }] }]',
    );
    expect(load(text).diagnostics).toEqual([]);
  });

  it('fills in the defaults', () => {
    const config = sound(`listeners: [{ address: ':8080' }]
services: { a: { versions: { v1: { endpoints: [http://127.0.0.1:1] }, v2: { endpoints: ['http://[::1]:2'] } } } }
routes: [{ name: a, match: { path: / }, service: a }]
`);
    expect(config).toEqual({
      path: '/srv/proxy/gateway.yaml',
      name: null,
      zone: '',
      listeners: [
        {
          address: { host: '::', port: 8080 },
          tls: null,
          hsts: null,
          http2: false,
          proxyProtocol: null,
          redirectPort: null,
          ip: null,
          limits: DEFAULT_LISTENER_LIMITS,
        },
      ],
      admin: { address: { host: '127.0.0.1', port: 9090 } },
      trustedProxies: [],
      accessLog: { kind: 'stdout' },
      logRules: { share: 1, errors: true, slowMs: null, redacted: new Set() },
      tracing: null,
      drainMs: 30_000,
      cacheBytes: 67_108_864,
      cacheRedis: false,
      jwt: {},
      introspection: {},
      apiKeys: {},
      tenantClaim: 'tenant_id',
      resolver: { servers: [], timeoutMs: 2_000 },
      services: {
        a: {
          name: 'a',
          versions: {
            v1: {
              endpoints: [{ url: 'http://127.0.0.1:1', weight: 1, zone: '', priority: 0, servername: '' }],
              ...PLAIN,
            },
            v2: {
              endpoints: [{ url: 'http://[::1]:2', weight: 1, zone: '', priority: 0, servername: '' }],
              ...PLAIN,
            },
          },
          balance: 'roundRobin',
          segments: ['endpoint', 'route'],
          slowStartMs: 0,
          outlier: null,
          retryBudget: { share: 0.2, perSecond: 10 },
          trailers: [],
          requestTrailers: [],
          health: null,
          localZone: 0.7,
          defaultVersion: 'v1',
          sticky: [{ cookie: 'sluice_id' }, 'ip'],
          salt: 'a',
        },
      },
      routes: [
        {
          name: 'a',
          methods: null,
          host: null,
          path: { kind: 'exact', path: '/' },
          conditions: [],
          service: 'a',
          timeout: { connectMs: 1000, responseMs: 10_000, idleMs: 60_000, totalMs: 15_000 },
          retry: {
            attempts: 1,
            on: ['connect', 'reset', '502', '503', '504'],
            baseMs: 25,
            maxMs: 250,
            bufferBytes: 65_536,
          },
          breaker: null,
          fallback: null,
          hedge: null,
          cache: null,
          purgeOnSuccess: [],
          auth: null,
          maxBodyBytes: 10_485_760,
          rateLimits: [],
          quotas: [],
          concurrency: null,
          adaptive: null,
          bots: null,
          mirror: null,
          idempotency: null,
          ip: null,
          upgrade: null,
          transcode: null,
          lifecycle: null,
          transform: null,
        },
      ],
    });
  });

  it('merges a policy field by field over the one it extends', () => {
    const { timeout, retry } = route(SOUND, 'orders');
    expect(timeout).toEqual({ connectMs: 500, responseMs: 10_000, idleMs: 60_000, totalMs: 4000 });
    expect(retry).toEqual({ attempts: 2, on: ['502', 'reset'], baseMs: 10, maxMs: 250, bufferBytes: 65_536 });
  });

  it('lets a route override single fields of its policy', () => {
    const by = 'policy: careful\n    retry: { attempts: 3 }\n    timeout: { idle: 5s }\n    maxBodyBytes: 10';
    const over = route(edited(SOUND, { replace: 'policy: careful', by }), 'orders');
    expect(over.retry).toMatchObject({ attempts: 3, on: ['502', 'reset'], baseMs: 10 });
    expect(over.timeout).toEqual({ connectMs: 500, responseMs: 10_000, idleMs: 5000, totalMs: 4000 });
    expect(over.maxBodyBytes).toBe(10);
  });

  it('lets a route switch off the retry and the auth of its policy', () => {
    const withAuth = edited(SOUND, {
      replace: 'extends: base',
      by: 'extends: base\n    auth: { jwt: main }',
    });
    expect(route(withAuth, 'orders').auth).toEqual({ jwt: 'main', optional: false });
    const off = edited(withAuth, {
      replace: 'policy: careful',
      by: 'policy: careful\n    retry: false\n    auth: false',
    });
    expect(route(off, 'orders')).toMatchObject({ retry: null, auth: null });
  });

  it('merges a cache field by field and fills in the rest', () => {
    const withCache = edited(SOUND, {
      replace: 'extends: base',
      by: 'extends: base\n    cache: { ttl: 30s, query: { exclude: [utm_*] }, headers: [X-B, x-a, x-b] }',
    });
    expect(route(withCache, 'orders').cache).toEqual({
      ttlMs: 30_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 60_000,
      heuristic: true,
      query: { sort: true, exclude: ['utm_*'], forward: false },
      headers: ['x-a', 'x-b'],
      maxBytes: 1_048_576,
      setCookie: 'refuse',
      tags: null,
      clientDirectives: true,
    });
    const over = edited(withCache, {
      replace: 'policy: careful',
      by: 'policy: careful\n    cache: { staleIfError: 0s, query: { sort: false } }',
    });
    expect(route(over, 'orders').cache).toMatchObject({
      ttlMs: 30_000,
      staleIfErrorMs: 0,
      query: { sort: false, exclude: ['utm_*'], forward: false },
    });
    const off = edited(withCache, { replace: 'policy: careful', by: 'policy: careful\n    cache: false' });
    expect(route(off, 'orders').cache).toBeNull();
    expect(sound(SOUND).cacheBytes).toBe(67_108_864);
    expect(sound(edited(SOUND, { replace: 'drain: 30s', by: 'cache: { bytes: 65536 }' })).cacheBytes).toBe(
      65_536,
    );
  });

  it('fills in what an outlier setting leaves out, and keeps the limit of a retry', () => {
    const text = edited(SOUND, { replace: 'default: v1', by: 'default: v1\n    outlier: { ejection: 10m }' });
    expect(sound(text).services.orders?.outlier).toEqual({
      consecutive: 5,
      baseMs: 600_000,
      maxMs: 600_000,
      maxShare: 0.3,
    });
    const by = 'policy: careful\n    retry: { onlyIfFirstAttemptUnder: 50ms }';
    const quick = route(edited(SOUND, { replace: 'policy: careful', by }), 'orders');
    expect(quick.retry).toMatchObject({ attempts: 2, onlyIfFirstAttemptUnderMs: 50 });
  });

  it('merges a breaker field by field and fills in the rest', () => {
    const withBreaker = edited(SOUND, {
      replace: 'extends: base',
      by: 'extends: base\n    breaker: { slow: { over: 500ms }, open: 20s }',
    });
    expect(route(withBreaker, 'orders').breaker).toEqual({
      per: 'version',
      errorShare: null,
      slow: { overMs: 500, share: 0.5 },
      windowMs: 10_000,
      minimum: 20,
      openMs: 20_000,
      recoverMs: 10_000,
    });
    const over = edited(withBreaker, {
      replace: 'policy: careful',
      by: 'policy: careful\n    breaker: { errorRate: 5%, slow: { share: 30% }, window: 2m }',
    });
    expect(route(over, 'orders').breaker).toMatchObject({
      errorShare: 0.05,
      slow: { overMs: 500, share: 0.3 },
      windowMs: 120_000,
      openMs: 20_000,
    });
    const off = edited(withBreaker, {
      replace: 'policy: careful',
      by: 'policy: careful\n    breaker: false',
    });
    expect(route(off, 'orders').breaker).toBeNull();
    const bare = edited(SOUND, { replace: 'policy: careful', by: 'breaker: {}' });
    expect(route(bare, 'orders').breaker).toMatchObject({ errorShare: 0.2, slow: null });
  });

  it('tells exact paths, templates and prefixes apart, and a prefix by its segments', () => {
    expect(route(SOUND, 'order').path).toEqual({ kind: 'template', path: '/orders/{id}' });
    const slash = edited(SOUND, { replace: 'prefix: /orders', by: 'prefix: /orders/' });
    expect(route(slash, 'orders').path).toEqual({ kind: 'prefix', path: '/orders' });
  });

  it('allows one path for different methods and different hosts', () => {
    const by = `routes:
  - { name: put, match: { prefix: /orders, methods: [PUT] }, service: orders }
  - { name: other, match: { prefix: /orders, host: b.example }, service: orders }
`;
    expect(sound(edited(SOUND, { replace: 'routes:\n', by })).routes).toHaveLength(4);
  });

  it('accepts a sticky claim once a route of the service has auth, be it by its policy', () => {
    const claim = edited(SOUND, { replace: '{ cookie: sluice_id }', by: '{ claim: sub }' });
    const text = edited(claim, { replace: 'extends: base', by: 'extends: base\n    auth: { jwt: main }' });
    expect(load(text).diagnostics).toEqual([]);
  });

  it('reports every problem in one pass, in the order of the file', () => {
    const text = SOUND.replace('drain: 30s', 'drian: 30')
      .replace('127.0.0.1:8080', 'x')
      .replace('[GET, POST]', '[get]');
    expect(load(text).diagnostics.map(({ line, column }) => `${line}:${column}`)).toEqual([
      '2:14',
      '4:1',
      '24:41',
    ]);
  });

  it('reports a mistake behind an alias where it is written, for each of its uses', () => {
    const text = edited(SOUND, { replace: 'timeout: { total: 4s }', by: 'timeout: &t { totl: 4s }' }).replace(
      '    policy: careful',
      '    timeout: *t',
    );
    expect(load(text).diagnostics.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '21 unknown key "totl" in policies.careful.timeout',
      '21 unknown key "totl" in routes[0].timeout',
    ]);
  });
});
