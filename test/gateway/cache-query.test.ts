import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  // Shows all that it is told, as pages with links to themselves do.
  upstream = await harness.upstream((request, response) =>
    response.end(`${request.url} ${request.headers['x-campaign'] ?? ''}`),
  );
});

afterEach(() => harness.close());

async function ask(text: string): Promise<(path: string, method?: string) => Promise<string>> {
  const gateway = await harness.gateway(gatewayOfYaml(upstream.url, text));
  return async (path, method = 'GET') => (await call(gateway, path, { method })).body;
}

const route = (query: string, more = '') => `
routes:
  - name: catalog
    match: { prefix: /catalog }
    service: orders
    cache: { ttl: 1m, query: { ${query} } }
    headers: { request: { set: { x-campaign: '\${query.utm_source}' } } }
    ${more}
`;

describe('a parameter that makes no difference to the cache', () => {
  it('reaches no upstream, in no way, so nobody gets what somebody else wrote into it', async () => {
    const get = await ask(route("exclude: ['utm_*']"));
    expect(await get('/catalog/77?utm_source=evil&b=1&a=2')).toBe('/catalog/77?b=1&a=2 ');
    expect(await get('/catalog/77?a=2&b=1')).toBe('/catalog/77?b=1&a=2 ');
    expect(upstream.seen).toHaveLength(1);
  });

  it('does not come in by a rewrite', async () => {
    const get = await ask(route("exclude: ['utm_*']", 'rewrite: { prefix: /x, query: { remove: [debug] } }'));
    expect(await get('/catalog/77?utm_source=evil&debug=1&a=2')).toBe('/x/77?a=2 ');
    expect(await get('/catalog/77?debug=1&a=2&utm_id=3')).toBe('/x/77?a=2 ');
    expect(upstream.seen).toHaveLength(1);
  });

  it('hides no other one from the key, whatever parts parameters at the upstream', async () => {
    const get = await ask(route("exclude: ['utm_*']"));
    expect(await get('/catalog/77?utm_x=1;a=evil')).toContain(';a=evil');
    expect(await get('/catalog/77')).toBe('/catalog/77 ');
  });

  it('reaches the upstream of a request that is not for the cache, and where the policy says so', async () => {
    const plain = await ask(route("exclude: ['utm_*']"));
    expect(await plain('/catalog/77?utm_source=x', 'POST')).toBe('/catalog/77?utm_source=x x');
    const forwarding = await ask(route("exclude: ['utm_*'], forward: true"));
    expect(await forwarding('/catalog/77?utm_source=x')).toBe('/catalog/77?utm_source=x x');
    expect(await forwarding('/catalog/77')).toBe('/catalog/77?utm_source=x x');
  });
});
