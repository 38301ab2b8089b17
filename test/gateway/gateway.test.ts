import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, splitOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('a gateway', () => {
  it('proxies a request to the default version and passes status, fields and body on', async () => {
    const upstream = await harness.upstream((request, response) => {
      response.writeHead(201, { 'X-From': 'v1', 'Content-Type': 'text/plain' });
      request.pipe(response);
    });
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })]));
    const reply = await call(gateway, '/orders/1?a=b', { method: 'POST', body: 'hello' });
    expect(reply.status).toBe(201);
    expect(reply.body).toBe('hello');
    expect(reply.headers['x-from']).toBe('v1');
    expect(upstream.seen[0]?.url).toBe('/orders/1?a=b');
    expect(upstream.seen[0]?.headers.host).toBe(new URL(upstream.url).host);
  });

  it('keeps a user on one version, and moves users to the canary as its weight rises', async () => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] })]);
    const gateway = await harness.gateway(config);
    const versionsOf = async (): Promise<string[]> => {
      const versions: string[] = [];
      for (let user = 0; user < 200; user += 1) {
        versions.push((await call(gateway, '/', { headers: { 'x-user-id': `user-${user}` } })).body);
      }
      return versions;
    };
    expect(new Set(await versionsOf())).toEqual(new Set(['v1']));
    await harness.channel.write(splitOf('orders', 1, 3_000));
    const first = await versionsOf();
    expect(await versionsOf()).toEqual(first);
    const share = first.filter((version) => version === 'v2').length;
    expect(share).toBeGreaterThan(30);
    expect(share).toBeLessThan(95);
    await harness.channel.write(splitOf('orders', 2, 6_000));
    const second = await versionsOf();
    for (const [user, version] of first.entries()) if (version === 'v2') expect(second[user]).toBe('v2');
    expect(second.filter((version) => version === 'v2').length).toBeGreaterThan(share);
  });

  it('reports every second what it did, per attempt and per response', async () => {
    const v1 = await harness.named('v1');
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]));
    for (let i = 0; i < 5; i += 1) await call(gateway, '/');
    const total = (): number =>
      harness.stream.summaries.reduce(
        (sum, { versions }) => sum + (versions.v1?.attempts.outcomes.status2xx ?? 0),
        0,
      );
    await eventually(() => total() === 5);
    const sequences = harness.stream.summaries.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    const metrics = await admin(gateway, '/metrics');
    expect(metrics.body).toMatch(
      /http_client_request_duration_seconds_count\{sluice_service="orders",sluice_version="v1",[^}]*\} 5/,
    );
  });

  it('swaps its configuration without dropping a request', async () => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]);
    const gateway = await harness.gateway(config);
    expect((await call(gateway, '/')).body).toBe('v1');
    const next = gatewayConfigOf([serviceOf('orders', { v1: [v2.url] })]);
    expect(await gateway.reload(next)).toEqual({ ok: true });
    expect((await call(gateway, '/')).body).toBe('v2');
  });
});
