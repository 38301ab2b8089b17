import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { call, GatewayHarness, type Reply, type Upstream } from '../support/gateway-harness.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

const TEXT = readFileSync(new URL('../../proxy/pack.yaml', import.meta.url), 'utf8');
const PORTS = ['9101', '9102', '9103', '9104', '9105', '9106'];

let harness: GatewayHarness;
let issuer: TokenIssuer;
let gateway: Gateway;
let upstreams: Upstream[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  harness = await GatewayHarness.open();
  issuer = await openTokenIssuer();
  harness.onClose(() => issuer.close());
  upstreams = await Promise.all(
    PORTS.map(() => harness.upstream((request, response) => answer(request, response))),
  );
  let text = TEXT.replace('accessLog: stdout', "accessLog: 'off'").replace(
    /127\.0\.0\.1:(8080|9090)/g,
    '127.0.0.1:0',
  );
  for (const [index, port] of PORTS.entries())
    text = text.replace(`http://127.0.0.1:${port}`, upstreams[index]?.url ?? '');
  const { value } = loadGatewayConfig({ name: 'pack.yaml', text, absolutePath: '/srv/pack.yaml' });
  if (value === null) expect.fail('the pack does not load');
  gateway = await harness.gateway({ ...value, jwt: { shop: issuer.provider } });
});
afterAll(() => harness.close());
beforeEach(() => {
  for (const { seen } of upstreams) seen.length = 0;
  answer = (_request, response) => response.end('{"ok":true}');
});

const seenBy = (port: string): IncomingMessage[] => upstreams[PORTS.indexOf(port)]?.seen ?? [];

async function as(claims: Record<string, unknown>): Promise<{ authorization: string }> {
  return { authorization: await issuer.bearer({ sub: 'ann', tenant_id: 'acme', ...claims }) };
}

function codeOf(reply: Reply): unknown {
  return [reply.status, JSON.parse(reply.body).code];
}

describe('the route pack', () => {
  it('is as lint wants it', () => {
    expect(
      loadGatewayConfig({ name: 'pack.yaml', text: TEXT, absolutePath: '/srv/pack.yaml' }).diagnostics,
    ).toEqual([]);
  });

  it('products: another path upstream, and one retry on 503', async () => {
    answer = (_request, response) => {
      response.statusCode = seenBy('9101').length === 1 ? 503 : 200;
      response.end('{}');
    };
    expect((await call(gateway, '/products/7?page=2')).status).toBe(200);
    expect(seenBy('9101').map(({ url }) => url)).toEqual(['/api/items/7?page=2', '/api/items/7?page=2']);
  });

  it('products: no retry on 500, and 504 after two seconds', async () => {
    answer = (_request, response) => {
      response.statusCode = 500;
      response.end();
    };
    expect((await call(gateway, '/products')).status).toBe(500);
    expect(seenBy('9101')).toHaveLength(1);
    answer = () => {};
    const startedMs = performance.now();
    expect((await call(gateway, '/products')).status).toBe(504);
    expect(performance.now() - startedMs).toBeGreaterThan(1_900);
  });

  it('product creation: a token with its scope, ten at once, then 429', async () => {
    const create = (headers: Record<string, string>): Promise<Reply> =>
      call(gateway, '/products', { method: 'POST', body: '{}', headers });
    expect((await create({})).status).toBe(401);
    expect((await create(await as({ scope: 'orders:read' }))).status).toBe(403);
    const headers = await as({ scope: 'products:create', tenant_id: 'maker' });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i += 1) statuses.push((await create(headers)).status);
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(200));
    expect(statuses).toContain(429);
    expect(seenBy('9101')[0]?.url).toBe('/api/items');
  });

  it('orders: scope, twenty at once for a tenant, replay of a key, and nothing for the canary', async () => {
    const headers = await as({ scope: 'orders:write', tenant_id: 'buyer' });
    expect((await call(gateway, '/orders', { headers: await as({ scope: 'other' }) })).status).toBe(403);
    const order = (): Promise<Reply> =>
      call(gateway, '/orders', {
        method: 'POST',
        body: '{"a":1}',
        headers: { ...headers, 'idempotency-key': '"k-1"' },
      });
    const [first, second] = [await order(), await order()];
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body]);
    expect(seenBy('9102')).toHaveLength(1);
    let refused: Reply | undefined;
    for (let i = 0; i < 25 && refused === undefined; i += 1) {
      const reply = await call(gateway, '/orders/1', { headers });
      if (reply.status !== 200) refused = reply;
    }
    expect(refused && codeOf(refused)).toEqual([429, 'RATE_LIMITED']);
    expect(refused?.headers['retry-after']).toBeDefined();
    const other = await as({ scope: 'orders:read', tenant_id: 'other' });
    expect((await call(gateway, '/orders/1', { headers: other })).status).toBe(200);
    expect(seenBy('9103')).toHaveLength(0);
  });

  it('catalog: stored without utm_* in whatever order, until it is updated', async () => {
    const url = '/catalog/7?a=1&b=2';
    await call(gateway, url);
    const again = await call(gateway, '/catalog/7?b=2&utm_source=x&a=1');
    expect(again.headers['cache-status']).toContain('hit');
    expect(seenBy('9104')).toHaveLength(1);
    const headers = await as({ scope: 'catalog:write' });
    expect((await call(gateway, url, { method: 'PUT', body: '{}', headers })).status).toBe(200);
    await call(gateway, url);
    expect(seenBy('9104').map(({ method }) => method)).toEqual(['GET', 'PUT', 'GET']);
  });

  it('catalog: an update drops its product in every form and every page of the list, nothing else', async () => {
    const [drops, stays] = [
      ['/catalog/9', '/catalog/9?lang=de', '/catalog', '/catalog?page=1'],
      ['/catalog/8?lang=de', '/catalog/9/reviews'],
    ];
    const isHit = async (path: string): Promise<boolean> =>
      String((await call(gateway, path)).headers['cache-status']).includes('hit');
    const headers = await as({ scope: 'catalog:write' });
    const update = { method: 'PUT', body: '{}', headers };
    for (const path of [...drops, ...stays]) await call(gateway, path);
    answer = (request, response) => {
      response.statusCode = request.method === 'PUT' ? 409 : 200;
      response.end('{}');
    };
    expect((await call(gateway, '/catalog/9', update)).status).toBe(409);
    for (const path of [...drops, ...stays]) expect(await isHit(path), path).toBe(true);
    answer = (_request, response) => response.end('{}');
    expect((await call(gateway, '/catalog/9', update)).status).toBe(200);
    for (const path of drops) expect(await isHit(path), path).toBe(false);
    for (const path of stays) expect(await isHit(path), path).toBe(true);
  });

  it('users: only with a token, told to the upstream, never what the client claims to be', async () => {
    expect((await call(gateway, '/users/me')).status).toBe(401);
    await call(gateway, '/users/me', { headers: { ...(await as({})), 'x-user-id': 'eve' } });
    await call(gateway, '/users/me', { headers: await as({}) });
    expect(seenBy('9105').map(({ headers }) => headers['x-user-id'])).toEqual(['ann', 'ann']);
  });

  it('recommendations: stored, tried again after a quick failure only', async () => {
    answer = (_request, response) => {
      response.statusCode = seenBy('9106').length === 1 ? 503 : 200;
      response.end('[]');
    };
    expect((await call(gateway, '/recommendations/1')).status).toBe(200);
    expect((await call(gateway, '/recommendations/1')).headers['cache-status']).toContain('hit');
    expect(seenBy('9106')).toHaveLength(2);
    answer = (_request, response) => {
      setTimeout(() => {
        response.statusCode = 503;
        response.end();
      }, 80);
    };
    expect((await call(gateway, '/recommendations/2')).status).toBeGreaterThanOrEqual(503);
    expect(seenBy('9106')).toHaveLength(3);
    answer = () => {};
    const startedMs = performance.now();
    expect((await call(gateway, '/recommendations/3')).status).toBe(504);
    // The ordinary time for a response is ten seconds.
    expect(performance.now() - startedMs).toBeLessThan(9_000);
  });

  it('orders: a token for reading changes nothing', async () => {
    const headers = await as({ scope: 'orders:read', tenant_id: 'reader' });
    for (const path of ['/orders/1', '/v1/orders/1']) {
      expect((await call(gateway, path, { headers })).status).toBe(200);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
        expect((await call(gateway, path, { method, headers })).status, `${method} ${path}`).toBe(403);
    }
    expect(seenBy('9102').map(({ method }) => method)).toEqual(['GET', 'GET']);
  });

  it('/v1: as hard to come by as the orders are, with one limit for both and keys that hold', async () => {
    expect((await call(gateway, '/v1/orders/1', { headers: await as({ scope: 'other' }) })).status).toBe(403);
    const headers = await as({ scope: 'orders:write', tenant_id: 'both' });
    const post = { method: 'POST', body: '{}', headers: { ...headers, 'idempotency-key': '"k-2"' } };
    const [first, second] = [
      await call(gateway, '/v1/orders', post),
      await call(gateway, '/v1/orders', post),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(seenBy('9102')).toHaveLength(1);
    const statuses: number[] = [];
    for (let i = 0; i < 24; i += 1)
      statuses.push((await call(gateway, i % 2 ? '/orders/1' : '/v1/orders/1', { headers })).status);
    expect(statuses).toContain(429);
  });

  it('/v1: the orders under their old path, with the end announced', async () => {
    const headers = await as({ scope: 'orders:read', tenant_id: 'late' });
    const reply = await call(gateway, '/v1/orders/1', { headers });
    expect([reply.status, seenBy('9102').at(-1)?.url]).toEqual([200, '/orders/1']);
    expect(reply.headers.deprecation).toBe(`@${Date.UTC(2026, 5, 30) / 1_000}`);
    expect(reply.headers.sunset).toBe('Tue, 30 Jun 2099 00:00:00 GMT');
    expect(reply.headers.link).toContain('</orders>; rel="successor-version"');
  });
});
