import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, numbered } from '../support/caching-gateway.ts';
import { admin, call, GatewayHarness, portOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('the store of a route that caches', () => {
  it('never stores a part as the whole, nor a body that broke off', async () => {
    const { gateway, calls } = await cached(harness, (request, response, count) => {
      const fields = { 'cache-control': 'max-age=60' };
      if (request.headers.range !== undefined) {
        response.writeHead(206, { ...fields, 'content-range': 'bytes 0-1/6' }).end('ca');
      } else if (count === 2) {
        response.writeHead(200, { ...fields, 'content-length': '100' });
        response.write('half');
        setTimeout(() => response.destroy(), 50);
      } else response.writeHead(200, fields).end(`call ${count}`);
    });
    expect((await call(gateway, '/', { headers: { range: 'bytes=0-1' } })).body).toBe('ca');
    await expect(call(gateway, '/')).rejects.toThrow();
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 3', 3]);
  });

  it.each<[string, Record<string, string | string[]>, Record<string, string>]>([
    ['private', { 'cache-control': 'private' }, {}],
    ['no-store', { 'cache-control': 'no-store, max-age=60' }, {}],
    ['a Set-Cookie', { 'set-cookie': 'session=1' }, {}],
    ['Vary: *', { vary: '*' }, {}],
    ['a request with Authorization', {}, { authorization: 'Bearer x' }],
    ['a request with a cookie', {}, { cookie: 'session=1' }],
  ])('whose policy sets a lifetime still does not store for %s', async (_title, fields, headers) => {
    const { gateway, calls } = await cached(harness, numbered(fields), { ttlMs: 60_000 });
    await call(gateway, '/', { headers });
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 2', 2]);
  });

  it('whose policy sets a lifetime needs no word of the upstream', async () => {
    const sticky = [{ cookie: 'sluice_id' }, 'ip'] as const;
    const { gateway, calls, config } = await cached(harness, numbered({ 'cache-control': 'max-age=0' }), {
      ttlMs: 60_000,
    });
    await call(gateway, '/');
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 1', 1]);
    // The gateway's own cookie makes a request nobody's; each client still gets its own.
    const shop = config.services.shop;
    if (shop === undefined) throw new Error('there is a shop');
    await gateway.reload({ ...config, services: { shop: { ...shop, sticky } } });
    const [one, two] = [await call(gateway, '/b'), await call(gateway, '/b')];
    expect(two.body).toBe(one.body);
    expect(two.headers['set-cookie']).not.toEqual(one.headers['set-cookie']);
    const known = { cookie: String(one.headers['set-cookie']).split(';')[0] ?? '' };
    expect((await call(gateway, '/c', { headers: known })).body).toBe((await call(gateway, '/c')).body);
  });

  it('is dropped by a successful unsafe request on any route, with what its response names', async () => {
    const { gateway, calls } = await cached(harness, (request, response, count) => {
      if (request.method !== 'GET') {
        const code = request.url === '/fails' ? 500 : 201;
        response.writeHead(code, { location: '/list', 'content-location': 'http://elsewhere/other' }).end();
      } else response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`call ${count}`);
    });
    const paths = ['/item?b=1&a=2', '/list', '/other', '/fails'];
    for (const path of paths) await call(gateway, path);
    await call(gateway, '/item?a=2&b=1', { method: 'POST', body: 'x' });
    await call(gateway, '/fails', { method: 'DELETE' });
    expect(calls()).toBe(6);
    for (const path of paths) await call(gateway, path);
    expect(calls()).toBe(8);
  });

  it('does not store what was on its way when an unsafe request outdated it', async () => {
    const held: { release: () => void } = { release: () => {} };
    const { gateway } = await cached(harness, (request, response, count) => {
      if (request.method === 'PUT') response.writeHead(204).end();
      else {
        response.writeHead(200, { 'cache-control': 'max-age=60' });
        response.write(`call ${count}`);
        held.release = () => response.end();
        if (count > 1) response.end();
      }
    });
    // Resolves with the head; the body is still on its way.
    const slow = await fetch(`http://127.0.0.1:${portOf(gateway)}/`);
    await call(gateway, '/', { method: 'PUT', body: 'x', headers: { host: `127.0.0.1:${portOf(gateway)}` } });
    held.release();
    expect(await slow.text()).toBe('call 1');
    expect((await call(gateway, '/')).body).toBe('call 3');
  });

  it('streams a body that is too large, and keeps within its budget', async () => {
    const { gateway, calls } = await cached(
      harness,
      (request, response) => {
        response.writeHead(200, { 'cache-control': 'max-age=60' });
        response.end(Buffer.alloc(request.url === '/large' ? 200_000 : 30_000, 'x'));
      },
      { maxBytes: 100_000 },
      {},
      { cacheBytes: 100_000 },
    );
    expect((await call(gateway, '/large')).body).toHaveLength(200_000);
    await call(gateway, '/large');
    expect(calls()).toBe(2);
    for (const path of ['/1', '/2', '/3', '/1', '/4', '/1']) await call(gateway, path);
    expect(calls()).toBe(6);
    await call(gateway, '/2');
    expect(calls()).toBe(7);
    const { body } = await admin(gateway, '/metrics');
    expect(Number(/^sluice_cache_bytes (\d+)$/m.exec(body)?.[1])).toBeLessThanOrEqual(100_000);
    expect(body).toMatch(/^sluice_cache_evictions_total [1-9]/m);
  });

  it('keeps its store over a reload', async () => {
    const { gateway, calls, config } = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    await call(gateway, '/');
    expect(await gateway.reload(config)).toEqual({ ok: true });
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 1', 1]);
    await gateway.reload({ ...config, cacheBytes: 65_536 });
    await gateway.reload({ ...config, cacheBytes: 0 });
    expect((await call(gateway, '/')).body).toBe('call 2');
  });
});
