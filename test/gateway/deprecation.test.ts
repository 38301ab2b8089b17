import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { routeOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

const SUNSET_MS = Date.UTC(2030, 0, 1);
const ROUTES = `
routes:
  - name: v1
    match: { prefix: /v1 }
    service: orders
    cache: { ttl: 1m }
    maxBodyBytes: 8
    lifecycle:
      deprecated: 2024-01-01
      sunset: 2030-01-01T00:00:00Z
      link: https://shop.test/v1-ends
      successor: /v2
      goneAfterSunset: true
  - name: v2
    match: { prefix: /v2 }
    service: orders
`;

let harness: GatewayHarness;
let upstream: Upstream;
let issuer: TokenIssuer;
let nowMs: number;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  issuer = await openTokenIssuer();
  harness.onClose(() => issuer.close());
  nowMs = Date.UTC(2026, 0, 1);
  upstream = await harness.upstream((_request, response) => {
    response.setHeader('Deprecation', '@1');
    response.setHeader('Link', '<https://shop.test/next>; rel="next"');
    response.end('hello');
  });
});
afterEach(() => harness.close());

function gatewayOf(changes: Partial<ReturnType<typeof gatewayOfYaml>> = {}): Promise<Gateway> {
  const config = { ...gatewayOfYaml(upstream.url, ROUTES), ...changes };
  return harness.gateway(config, { nowMs: () => nowMs });
}

describe('lifecycle', () => {
  it('announces deprecation and sunset on every response, stored ones and its own errors too', async () => {
    const gateway = await gatewayOf();
    const tooLarge = { method: 'POST', body: 'x'.repeat(9) };
    for (const [options, expected] of [
      [{}, 200],
      [{}, 200],
      [tooLarge, 413],
    ] as const) {
      const { headers, status } = await call(gateway, '/v1/a', options);
      expect(status).toBe(expected);
      expect(headers.deprecation).toBe('@1704067200');
      expect(headers.sunset).toBe('Tue, 01 Jan 2030 00:00:00 GMT');
      const links = [headers.link].flat();
      expect(links.slice(-3)).toEqual([
        '<https://shop.test/v1-ends>; rel="deprecation"',
        '<https://shop.test/v1-ends>; rel="sunset"',
        '</v2>; rel="successor-version"',
      ]);
    }
    expect(upstream.seen).toHaveLength(1);
  });

  it('keeps the links of the upstream', async () => {
    const { headers } = await call(await gatewayOf(), '/v1/a');
    expect(headers.link).toContain('<https://shop.test/next>; rel="next"');
  });

  it('leaves other routes alone, with what their upstreams say', async () => {
    const { headers } = await call(await gatewayOf(), '/v2/a');
    expect([headers.deprecation, headers.sunset]).toEqual(['@1', undefined]);
  });

  it('answers 410 from the moment of the sunset on, and asks no upstream', async () => {
    const gateway = await gatewayOf();
    nowMs = SUNSET_MS - 1;
    expect((await call(gateway, '/v1/a')).status).toBe(200);
    nowMs = SUNSET_MS;
    const reply = await call(gateway, '/v1/a');
    expect([reply.status, JSON.parse(reply.body)]).toMatchObject([
      410,
      { code: 'GONE', detail: 'The next version is at /v2.' },
    ]);
    expect(reply.headers.sunset).toBe('Tue, 01 Jan 2030 00:00:00 GMT');
    expect(upstream.seen).toHaveLength(1);
  });

  it('counts the callers of what is deprecated, and logs the state', async () => {
    const log = accessFile(harness);
    const lifecycle = {
      deprecatedMs: 0,
      sunsetMs: SUNSET_MS,
      link: null,
      successor: null,
      goneAfterSunset: false,
    };
    const gateway = await gatewayOf({
      accessLog: log.config,
      jwt: { main: issuer.provider },
      routes: [routeOf('orders', { name: 'old', lifecycle, auth: { jwt: 'main', optional: true } })],
    });
    const authorization = await issuer.bearer({ sub: 'batch"1' });
    await call(gateway, '/', { headers: { authorization } });
    await call(gateway, '/');
    nowMs = SUNSET_MS;
    await call(gateway, '/');
    const lines = await log.lines(3);
    expect(lines.map((line) => line.lifecycle)).toEqual(['deprecated', 'deprecated', 'sunset']);
    const { body } = await admin(gateway, '/metrics');
    const counted = body.split('\n').filter((line) => line.startsWith('sluice_deprecated_requests_total{'));
    expect(counted.map((line) => line.replace(/.*caller/, 'caller'))).toEqual([
      'caller="batch\\"1",state="deprecated"} 1',
      'caller="_anonymous",state="deprecated"} 1',
      'caller="_anonymous",state="sunset"} 1',
    ]);
  });
});

describe('versions by header or media type', () => {
  const VERSIONS = `
routes:
  - { name: one, service: orders, match: { prefix: /items }, cache: { ttl: 1m }, rewrite: { prefix: /one } }
  - name: two
    service: orders
    match: { prefix: /items, headers: { Accept-Version: '2' } }
    cache: { ttl: 1m }
    rewrite: { prefix: /two }
    cors: { origins: [https://shop.test] }
  - name: three
    service: orders
    match: { prefix: /items, accept: application/vnd.shop.v3+json }
    cache: { ttl: 1m }
    rewrite: { prefix: /three }
  - { name: strict, service: orders, match: { path: /strict, headers: { accept-version: '2' } } }
`;

  async function target(gateway: Gateway, headers: Record<string, string>): Promise<string | undefined> {
    await call(gateway, '/items/1', { headers });
    return upstream.seen.at(-1)?.url;
  }

  it('chooses the route by the header, then the media type, then neither, and keeps them apart in the cache', async () => {
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, VERSIONS));
    for (const round of [1, 2]) {
      expect(await target(gateway, {})).toBe(round === 1 ? '/one/1' : '/three/1');
      expect(await target(gateway, { 'accept-version': '2' })).toBe(round === 1 ? '/two/1' : '/three/1');
      expect(await target(gateway, { accept: 'application/vnd.shop.v3+json' })).toBe('/three/1');
    }
    expect(upstream.seen).toHaveLength(3);
  });

  it('tells caches what every response at such a path depends on, and nothing elsewhere', async () => {
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, VERSIONS));
    for (const headers of [{}, { 'accept-version': '2' }])
      expect((await call(gateway, '/items', { headers })).headers.vary).toContain('accept-version, accept');
    const unknown = await call(gateway, '/strict');
    expect([unknown.status, unknown.headers.vary]).toEqual([404, 'accept-version']);
    expect((await call(gateway, '/other')).headers.vary).toBeUndefined();
  });

  it('answers a preflight, which carries no such headers, by the route that has a policy for it', async () => {
    const only = VERSIONS.replace(/ {2}- \{ name: one.*\n/, '');
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, only));
    const reply = await call(gateway, '/items', {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.test', 'access-control-request-method': 'GET' },
    });
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([204, 'https://shop.test']);
  });
});
