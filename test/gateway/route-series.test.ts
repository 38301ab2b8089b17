import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const V3 = 'application/vnd.shop.v3+json';
const routesOf = (v2Policies: string, others = '') => `
routes:
  - { name: orders-new, match: { prefix: /orders, methods: [POST] }, service: orders }
  - { name: orders-1, match: { prefix: /orders, methods: [GET] }, service: orders, cache: { ttl: 1m }${others} }
  - { name: orders-2, match: { prefix: /orders, headers: { accept-version: '2' } }, service: orders${v2Policies} }
  - { name: orders-3, match: { prefix: /orders, accept: ${V3} }, service: orders, cache: { ttl: 1m }${others} }
`;

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
});
afterEach(() => harness.close());

/** Samples above 0 of one metric, by their label `sluice_route` and what else is asked for, in that order. */
async function samples(
  gateway: Gateway,
  metric: string,
  ...labels: readonly string[]
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of (await admin(gateway, '/metrics')).body.split('\n')) {
    const [, text = '', value] = line.startsWith(`${metric}{`) ? (/\{(.*)\} (\S+)$/.exec(line) ?? []) : [];
    if (value === undefined || value === '0') continue;
    const by = ['sluice_route', ...labels].map(
      (label) => new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(text)?.[1],
    );
    const key = by.join(' ');
    found[key] = (found[key] ?? 0) + Number(value);
  }
  return found;
}

const v2 = (gateway: Gateway) => call(gateway, '/orders/1', { headers: { 'accept-version': '2' } });
const v3 = (gateway: Gateway) => call(gateway, '/orders/1', { headers: { accept: V3 } });
const RESPONSES = 'http_server_request_duration_seconds_count';
/** A response is counted once it is closed, which its client may see first. */
const POLL = { timeout: 20_000 };

describe('series of routes that share a pattern', () => {
  it('tell routes by header, media type and method apart, and go on after a reload', async () => {
    const config = gatewayOfYaml(upstream.url, routesOf(''));
    const gateway = await harness.gateway(config);
    await call(gateway, '/orders/1');
    for (let i = 0; i < 2; i += 1) await v2(gateway);
    for (let i = 0; i < 3; i += 1) await v3(gateway);
    for (let i = 0; i < 4; i += 1) await call(gateway, '/orders/1', { method: 'POST', body: 'x' });
    await expect
      .poll(() => samples(gateway, RESPONSES, 'http_route'), POLL)
      .toEqual({
        'orders-1 /orders/*': 1,
        'orders-2 /orders/*': 2,
        'orders-3 /orders/*': 3,
        'orders-new /orders/*': 4,
      });
    expect(await samples(gateway, 'sluice_cache_requests_total', 'result')).toEqual({
      'orders-1 miss': 1,
      'orders-3 miss': 1,
      'orders-3 hit': 2,
    });
    expect(await gateway.reload({ ...config, drainMs: config.drainMs + 1 })).toEqual({ ok: true });
    await v2(gateway);
    await expect
      .poll(() => samples(gateway, RESPONSES), POLL)
      .toMatchObject({ 'orders-2': 3, 'orders-3': 3 });
  });

  it('say which route a limit refused, also where routes share the limit, and have a cap each', async () => {
    const limits = ', rateLimits: [{ name: own, rate: 1/h }], concurrency: { max: 5 }';
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, routesOf(limits, limits)));
    for (let i = 0; i < 3; i += 1) await v2(gateway);
    await v3(gateway);
    expect(await samples(gateway, 'sluice_limit_requests_total', 'limit', 'outcome')).toMatchObject({
      'orders-2 own allowed': 1,
      'orders-2 own refused': 2,
      'orders-3 own refused': 1,
    });
    expect((await admin(gateway, '/metrics')).body).toContain(
      'sluice_route_in_flight{sluice_service="orders",sluice_route="orders-3",http_route="/orders/*"} ',
    );
  });

  it('say which route refused an address, and when no route matched', async () => {
    const config = gatewayOfYaml(upstream.url, routesOf(', ip: { deny: [127.0.0.0/8] }'));
    const gateway = await harness.gateway(config);
    expect([(await v2(gateway)).status, (await v2(gateway)).status]).toEqual([403, 403]);
    expect([(await v3(gateway)).status, (await call(gateway, '/nothing')).status]).toEqual([200, 404]);
    await expect
      .poll(() => samples(gateway, RESPONSES, 'sluice_service', 'error_type'), POLL)
      .toEqual({
        'orders-2 orders ADDRESS_REFUSED': 2,
        'orders-3 orders ': 1,
        '  ROUTE_UNKNOWN': 1,
      });
  });
});
