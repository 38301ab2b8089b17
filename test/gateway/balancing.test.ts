import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpointOf, gatewayConfigOf, PLAIN, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

function countsOf(replies: readonly { readonly body: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { body } of replies) counts[body] = (counts[body] ?? 0) + 1;
  return counts;
}

describe('balancing', () => {
  it('spreads attempts by weight', async () => {
    const [a, b] = [await harness.named('a'), await harness.named('b')];
    const endpoints = [endpointOf(a.url, { weight: 3 }), endpointOf(b.url)];
    const service = serviceOf(
      'orders',
      {},
      { versions: { v1: { endpoints, ...PLAIN } }, defaultVersion: 'v1' },
    );
    const gateway = await harness.gateway(gatewayConfigOf([service]));
    const replies = [];
    for (let i = 0; i < 20; i += 1) replies.push(await call(gateway, '/'));
    expect(countsOf(replies)).toEqual({ a: 15, b: 5 });
  });

  it('by hash keeps a user at one endpoint and spreads users', async () => {
    const urls = await Promise.all(['a', 'b', 'c'].map(async (name) => (await harness.named(name)).url));
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: urls }, { balance: 'hash' })]),
    );
    const seen = new Set<string>();
    for (let user = 0; user < 30; user += 1) {
      const headers = { 'x-user-id': `user-${user}` };
      const bodies = [];
      for (let i = 0; i < 3; i += 1) bodies.push((await call(gateway, '/', { headers })).body);
      expect(new Set(bodies).size).toBe(1);
      seen.add(bodies[0] ?? '');
    }
    expect(seen.size).toBe(3);
  });

  it('by least requests keeps away from an endpoint that has stalled', async () => {
    const waiting: (() => void)[] = [];
    const stalled = await harness.upstream((_request, response) =>
      waiting.push(() => response.end('stalled')),
    );
    const quick = await harness.named('quick');
    const service = serviceOf('orders', { v1: [stalled.url, quick.url] }, { balance: 'leastRequests' });
    const gateway = await harness.gateway(gatewayConfigOf([service]));
    const replies = Array.from({ length: 12 }, () => call(gateway, '/'));
    await eventually(() => stalled.seen.length > 0);
    const before = stalled.seen.length;
    const later = Array.from({ length: 40 }, () => call(gateway, '/'));
    await eventually(() => quick.seen.length > 20);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(
      /sluice_endpoint_attempts_in_flight\{service="orders",version="v1",endpoint="[^"]+"\} [1-9]/,
    );
    const atStalled = () => stalled.seen.length;
    expect(atStalled() - before).toBeLessThan(25);
    const release = setInterval(() => {
      for (const end of waiting.splice(0)) end();
    }, 5);
    await Promise.all([...replies, ...later]);
    clearInterval(release);
    const after = (await admin(gateway, '/metrics')).body;
    expect(after.match(/sluice_endpoint_attempts_in_flight\{[^}]*\} 0/g)).toHaveLength(2);
  });

  it('retries at every other endpoint before it comes back to one that failed', async () => {
    const bad = await Promise.all(
      Array.from({ length: 3 }, () => harness.upstream((_, response) => response.writeHead(503).end('bad'))),
    );
    const good = await harness.named('good');
    const retry = { attempts: 3, on: ['503'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const urls = [...bad.map(({ url }) => url), good.url];
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: urls }, { balance: 'leastRequests' })], {
        routes: [routeOf('orders', { retry })],
      }),
    );
    for (let i = 0; i < 20; i += 1) expect((await call(gateway, '/')).body).toBe('good');
  });

  it('stays in the zone of the gateway while enough is well there', async () => {
    const [here, there] = [await harness.named('here'), await harness.named('there')];
    const endpoints = [endpointOf(there.url, { weight: 9, zone: 'b' }), endpointOf(here.url, { zone: 'a' })];
    const service = (localZone: number | null) =>
      serviceOf('orders', {}, { versions: { v1: { endpoints, ...PLAIN } }, defaultVersion: 'v1', localZone });
    const gateway = await harness.gateway(gatewayConfigOf([service(0.7)], { zone: 'a' }));
    for (let i = 0; i < 10; i += 1) expect((await call(gateway, '/')).body).toBe('here');
    await gateway.reload(gatewayConfigOf([service(null)], { zone: 'a' }));
    const replies = [];
    for (let i = 0; i < 10; i += 1) replies.push(await call(gateway, '/'));
    expect(countsOf(replies)).toEqual({ here: 1, there: 9 });
  });

  it('lets attempts at an endpoint that a reload has removed come to their end', async () => {
    const waiting: (() => void)[] = [];
    const old = await harness.upstream((_request, response) => waiting.push(() => response.end('old')));
    const next = await harness.named('new');
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [old.url] })]));
    const reply = call(gateway, '/');
    await eventually(() => waiting.length === 1);
    await gateway.reload(gatewayConfigOf([serviceOf('orders', { v1: [next.url] })]));
    expect((await call(gateway, '/')).body).toBe('new');
    waiting[0]?.();
    expect((await reply).body).toBe('old');
    expect(old.seen).toHaveLength(1);
  });
});
