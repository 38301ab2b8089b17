import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { call, GatewayHarness, type Reply, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;

const ROUTES = `
identity:
  jwt:
    main: { issuer: https://id.example, audience: shop, jwks: { url: 'http://127.0.0.1:9/keys' } }
routes:
  - name: shop
    match: { prefix: /shop, methods: [GET, POST, DELETE] }
    service: orders
    auth: { jwt: main, optional: true }
    cors: { origins: [https://shop.example, 'https://*.shop.example'], credentials: true, maxAge: 5m, methods: [GET, POST] }
  - name: strict
    match: { prefix: /strict }
    service: orders
    auth: { jwt: main }
    cors: { origins: [https://shop.example] }
  - name: open
    match: { prefix: /open }
    service: orders
    cache: { ttl: 1m }
    cors: { origins: ['*'], headers: '*', expose: [x-total] }
  - name: plain
    match: { prefix: /plain }
    service: orders
`;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((_request, response) => {
    response.setHeader('Access-Control-Allow-Origin', 'https://upstream.example');
    response.setHeader('Vary', 'Accept');
    response.end('hello');
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

function preflight(path: string, origin: string, method: string, headers?: string): Promise<Reply> {
  return call(gateway, path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      ...(headers !== undefined && { 'access-control-request-headers': headers }),
    },
  });
}

describe('CORS', () => {
  it('answers a preflight itself, without authentication and though the route has no OPTIONS', async () => {
    const reply = await preflight('/shop/1', 'https://shop.example', 'POST', 'content-type');
    expect(reply.status).toBe(204);
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type, idempotency-key',
      'access-control-max-age': '300',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    });
    expect((await preflight('/strict', 'https://shop.example', 'PUT')).status).toBe(204);
    expect(upstream.seen).toHaveLength(0);
  });

  it.each([
    ['another origin', 'https://evil.example', 'POST', ''],
    ['an origin that only ends alike', 'https://evilshop.example', 'POST', ''],
    ['an origin with a path before the suffix', 'https://evil.test/.shop.example', 'POST', ''],
    ['another scheme', 'http://a.shop.example', 'POST', ''],
    ['no origin', 'null', 'POST', ''],
    ['another method', 'https://shop.example', 'DELETE', ''],
    ['another header', 'https://shop.example', 'POST', 'x-secret'],
    ['a header that is none', 'https://shop.example', 'POST', 'a b'],
  ])('permits nothing to %s', async (_what, origin, method, headers) => {
    const reply = await preflight('/shop/1', origin, method, headers);
    expect(reply.status).toBe(204);
    expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    expect(upstream.seen).toHaveLength(0);
  });

  it('leaves OPTIONS without a preflight, and routes without the policy, to the upstream', async () => {
    const reply = await preflight('/plain', 'https://shop.example', 'PUT');
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([
      200,
      'https://upstream.example',
    ]);
    expect((await call(gateway, '/open', { method: 'OPTIONS' })).status).toBe(200);
  });

  it('replaces the words of the upstream about origins and adds to Vary', async () => {
    const allowed = await call(gateway, '/shop', { headers: { origin: 'https://a.b.shop.example' } });
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://a.b.shop.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-request-id',
      vary: 'Accept, Origin',
    });
    const refused = await call(gateway, '/shop', { headers: { origin: 'https://evil.example' } });
    expect([refused.body, refused.headers['access-control-allow-origin'], refused.headers.vary]).toEqual([
      'hello',
      undefined,
      'Accept, Origin',
    ]);
  });

  it('writes the fields on problem documents', async () => {
    const reply = await call(gateway, '/strict', { headers: { origin: 'https://shop.example' } });
    expect([reply.status, reply.headers['access-control-allow-origin'], reply.headers.vary]).toEqual([
      401,
      'https://shop.example',
      'Origin',
    ]);
  });

  it('writes them on stored responses, and stores none of them', async () => {
    const origins = ['https://a.example', 'https://b.example'];
    for (const origin of origins) {
      const reply = await call(gateway, '/open', { headers: { origin } });
      expect(reply.headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'x-total',
        vary: 'Accept',
      });
    }
    expect(upstream.seen).toHaveLength(1);
    const asked = await preflight('/open', 'https://c.example', 'PUT', 'x-one, X-Two');
    expect(asked.headers['access-control-allow-headers']).toBe('x-one, x-two');
  });
});
