import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import {
  call,
  eventually,
  GatewayHarness,
  type Reply,
  splitOf,
  type Upstream,
} from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let fields: Record<string, string>;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  fields = {};
});

afterEach(() => harness.close());

const STICKY = { sticky: [{ cookie: 'sluice_id' }, 'ip'] } as const;

function version(name: string): Promise<Upstream> {
  return harness.upstream((_request, response) => response.writeHead(200, fields).end(name));
}

/** A service with two versions; `more` is YAML of its only route. */
async function split(more = ''): Promise<Gateway> {
  const [one, two] = [await version('v1'), await version('v2')];
  const { services, ...config } = gatewayOfYaml(
    one.url,
    `routes:\n  - { name: all, match: { prefix: / }, service: orders${more} }\n`,
  );
  const orders = serviceOf('orders', { v1: [one.url], v2: [two.url] }, STICKY);
  return harness.gateway({ ...config, services: { ...services, orders } });
}

const issued = ({ headers }: Reply): boolean => String(headers['set-cookie']).startsWith('sluice_id=');

describe('the cookie that keeps a visitor at a version', () => {
  it('is not issued where there is one version, nor missed; it is where it chooses endpoints', async () => {
    const { url } = await version('v1');
    const one = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [url] }, STICKY)]));
    expect((await call(one, '/')).headers['set-cookie']).toBeUndefined();
    const hashed = serviceOf('orders', { v1: [url] }, { ...STICKY, balance: 'hash' });
    expect(issued(await call(await harness.gateway(gatewayConfigOf([hashed])), '/'))).toBe(true);
  });

  it.each<Record<string, string>>([
    { 'cache-control': 'public' },
    { 'cache-control': 'max-age=60' },
    { 'cache-control': 's-maxage=60' },
    { 'cache-control': 'public, max-age=0, stale-while-revalidate=60' },
    { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' },
    { 'cache-control': 'public, max-age=60', 'cdn-cache-control': 'no-store' },
    { expires: new Date(Date.now() + 86_400_000).toUTCString() },
  ])('is not in a response that is for shared caches: %o', async (said) => {
    fields = said;
    expect((await call(await split(), '/')).headers['set-cookie']).toBeUndefined();
  });

  it.each<Record<string, string>>([
    {},
    { 'cache-control': 'private, max-age=60' },
    { 'cache-control': 'no-store' },
    { 'cache-control': 'no-cache', etag: '"a"' },
    { 'cache-control': 'public, max-age=0', etag: '"a"' },
    { etag: '"a"', 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' },
    { 'cache-control': 'max-age=60', vary: '*' },
    { 'cache-control': 'max-age=60', 'set-cookie': 'session=ann' },
  ])('is in one that is for nobody else: %o', async (said) => {
    fields = said;
    const { 'set-cookie': cookies } = (await call(await split(), '/')).headers;
    expect(String(cookies)).toMatch(/sluice_id=/);
  });

  it('is in the answers to methods and credentials that shared caches keep nothing of', async () => {
    fields = { 'cache-control': 'max-age=60' };
    const gateway = await split();
    expect(issued(await call(gateway, '/', { method: 'POST', body: 'x' }))).toBe(true);
    expect(issued(await call(gateway, '/', { headers: { authorization: 'Bearer x' } }))).toBe(true);
  });

  it('goes by what the client gets, whoever said it: edits of the route, a stored response', async () => {
    const edited = await split(', headers: { response: { set: { cache-control: "public, max-age=60" } } }');
    expect(issued(await call(edited, '/'))).toBe(false);
    fields = { 'cache-control': 'max-age=60' };
    const caching = await split(', cache: {}');
    for (const _time of [1, 2]) expect(issued(await call(caching, '/'))).toBe(false);
    // Stored by the route's own word: nobody else is told that it may be.
    fields = { 'cache-control': 'max-age=0' };
    const own = await split(', cache: { ttl: 1m }');
    const [miss, hit] = [await call(own, '/'), await call(own, '/')];
    expect(hit.headers['cache-status']).toContain('hit');
    expect([issued(miss), issued(hit)]).toEqual([true, true]);
    expect(hit.headers['set-cookie']).not.toBe(miss.headers['set-cookie']);
  });

  it('comes with the first response that may bring it, and keeps its visitor there', async () => {
    const gateway = await split();
    await harness.channel.write(splitOf('orders', 1, 5_000));
    await eventually(() => gateway.splits()[0]?.split.revision === 1);
    const versions = new Set<string>();
    for (let visit = 0; visit < 20; visit += 1) {
      fields = { 'cache-control': 'public, max-age=60' };
      expect(issued(await call(gateway, '/style.css'))).toBe(false);
      fields = {};
      const first = await call(gateway, '/');
      const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
      versions.add(first.body);
      fields = { 'cache-control': 'public, max-age=60' };
      for (const path of ['/', '/style.css'])
        expect((await call(gateway, path, { headers: { cookie } })).body).toBe(first.body);
    }
    expect([...versions].sort()).toEqual(['v1', 'v2']);
  });
});
