import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { FallbackPolicy } from '../../src/config/policies/fallback.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { cachePolicyOf } from '../support/caching-gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile, summed } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let access: AccessFile;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  access = accessFile(harness);
});

afterEach(() => harness.close());

const ALL: FallbackPolicy['on'] = new Set(['breaker', 'connect', 'reset', 'timeout', '502', '503', '504']);
const FIXED: FallbackPolicy = {
  on: ALL,
  to: { kind: 'response', status: 200, fields: ['Content-Type', 'application/json'], body: '{"items":[]}' },
};
/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

async function gatewayOf(urls: Readonly<Record<string, string>>, route: Partial<Route>): Promise<Gateway> {
  const services = Object.entries(urls).map(([name, url]) => serviceOf(name, { v1: [url] }));
  return harness.gateway(
    gatewayConfigOf(services, { accessLog: access.config, routes: [routeOf('orders', route)] }),
  );
}

async function answering(status: number, body = 'theirs'): Promise<{ url: string; calls: string[] }> {
  const calls: string[] = [];
  const { url } = await harness.upstream((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      calls.push(`${request.method} ${request.url} ${text}`.trim());
      response.writeHead(status).end(body);
    });
  });
  return { url, calls };
}

describe('a fixed fallback', () => {
  it.each([
    ['refused connections', () => Promise.resolve({ url: NOWHERE })],
    ['502', () => answering(502)],
    ['503', () => answering(503)],
  ])('stands in for %s, and the attempt counts as it was', async (_what, upstream) => {
    const { url } = await upstream();
    const gateway = await gatewayOf({ orders: url }, { fallback: FIXED });
    const answer = await call(gateway, '/');
    expect([answer.status, answer.body, answer.headers['content-type']]).toEqual([
      200,
      '{"items":[]}',
      'application/json',
    ]);
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
    expect([attempts.bad, attempts.total, responses.bad, responses.total]).toEqual([1, 1, 0, 1]);
    expect((await access.lines(1)).at(-1)).toMatchObject({ status: 200, fallback: 'response' });
  });

  it('does not stand in for what it was not declared for', async () => {
    const { url } = await answering(500);
    const gateway = await gatewayOf({ orders: url }, { fallback: FIXED });
    expect((await call(gateway, '/')).status).toBe(500);
    const every = await gatewayOf({ orders: url }, { fallback: { ...FIXED, on: new Set(['500']) } });
    expect((await call(every, '/')).status).toBe(200);
  });

  it('comes after the last retry', async () => {
    const { url, calls } = await answering(503);
    const retry = { attempts: 2, on: ['503'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const gateway = await gatewayOf({ orders: url }, { fallback: FIXED, retry });
    expect([(await call(gateway, '/')).status, calls.length]).toEqual([200, 3]);
  });

  it('has no body for HEAD', async () => {
    const gateway = await gatewayOf({ orders: NOWHERE }, { fallback: FIXED });
    const answer = await call(gateway, '/', { method: 'HEAD' });
    expect([answer.status, answer.body, answer.headers['content-length']]).toEqual([200, '', '12']);
  });

  it('stands in for an open breaker', async () => {
    const { url, calls } = await answering(503);
    const breaker = {
      per: 'version' as const,
      errorShare: 0.2,
      slow: null,
      windowMs: 10_000,
      minimum: 20,
      openMs: 60_000,
      recoverMs: 0,
    };
    const gateway = await gatewayOf({ orders: url }, { fallback: FIXED, breaker });
    for (let i = 0; i < 20; i += 1) await call(gateway, '/');
    expect(calls).toHaveLength(20);
    expect((await call(gateway, '/')).status).toBe(200);
    expect(calls).toHaveLength(20);
    expect((await access.lines(21)).at(-1)).toMatchObject({ error: 'BREAKER_OPEN', fallback: 'response' });
    const text = (await admin(gateway, '/metrics')).body;
    expect(text).toContain(
      'sluice_fallbacks_total{sluice_service="orders",sluice_route="orders-all",http_route="/*",cause="503"} 20\n',
    );
    expect(text).toContain(
      'sluice_fallbacks_total{sluice_service="orders",sluice_route="orders-all",http_route="/*",cause="breaker"} 1\n',
    );
  });
});

describe('another service as fallback', () => {
  const OTHER: FallbackPolicy = { on: ALL, to: { kind: 'service', service: 'other' } };

  it('gets the same request, with its body', async () => {
    const { url, calls } = await answering(200, 'from the other');
    const gateway = await gatewayOf({ orders: NOWHERE, other: url }, { fallback: OTHER });
    const answer = await call(gateway, '/items?x=1', { method: 'POST', body: 'hello' });
    expect([answer.status, answer.body, calls]).toEqual([200, 'from the other', ['POST /items?x=1 hello']]);
    expect((await access.lines(1)).at(-1)).toMatchObject({ version: 'v1', fallback: 'other', attempts: 2 });
  });

  it('counts for itself: the version that failed is still seen to fail', async () => {
    const { url } = await answering(200);
    const gateway = await gatewayOf({ orders: NOWHERE, other: url }, { fallback: OTHER });
    await call(gateway, '/');
    const own = await summed(harness, 'orders', 'v1', 2);
    const other = await summed(harness, 'other', 'v1');
    expect([own.attempts.bad, own.attempts.total, own.responses.bad]).toEqual([1, 1, 0]);
    expect([other.attempts.bad, other.attempts.total, other.responses.total]).toEqual([0, 1, 0]);
  });

  it('answers nobody from the cache of the route: the service itself is asked as soon as it is back', async () => {
    const other = await answering(200, 'from the other');
    let isDown = true;
    const own = await harness.upstream((_request, response) =>
      response.writeHead(isDown ? 503 : 200, { 'Cache-Control': 'max-age=600' }).end('own'),
    );
    const gateway = await gatewayOf(
      { orders: own.url, other: other.url },
      { fallback: OTHER, cache: cachePolicyOf({ ttlMs: 600_000 }) },
    );
    expect((await call(gateway, '/')).body).toBe('from the other');
    isDown = false;
    expect((await call(gateway, '/')).body).toBe('own');
  });

  it('is asked once; when it fails too, the client gets its error', async () => {
    const { url, calls } = await answering(503, 'also down');
    const retry = { attempts: 2, on: ['connect', '503'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const gateway = await gatewayOf({ orders: NOWHERE, other: url }, { fallback: OTHER, retry });
    const answer = await call(gateway, '/');
    expect([answer.status, answer.body, calls.length]).toEqual([503, 'also down', 1]);
    const dead = await gatewayOf({ orders: NOWHERE, other: NOWHERE }, { fallback: OTHER });
    expect(await call(dead, '/')).toMatchObject({ status: 502 });
  });
});
