import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/config/gateway-model.ts';
import type { HealthPolicy } from '../../src/config/policies/health.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const HEALTH: HealthPolicy = {
  path: '/healthz?deep=1',
  intervalMs: 20,
  timeoutMs: 2_000,
  jitter: 0.1,
  healthy: 2,
  unhealthy: 3,
  expect: [{ from: 200, to: 299 }],
  host: null,
};

interface Checked extends Upstream {
  /** What its health checks get; 0: no answer. */
  status: number;
  readonly probes: () => number;
  readonly served: () => number;
}

async function checked(name: string, status = 200): Promise<Checked> {
  const upstream = await harness.upstream((request, response) => {
    if (!request.url?.startsWith('/healthz')) response.end(name);
    else if (own.status > 0) response.writeHead(own.status).end();
  });
  const probes = () => upstream.seen.filter(({ url }) => url?.startsWith('/healthz')).length;
  const own: Checked = { ...upstream, status, probes, served: () => upstream.seen.length - probes() };
  return own;
}

function start(upstreams: readonly Checked[], changes: Partial<Service> = {}): Promise<Gateway> {
  return harness.gateway(configOf(upstreams, changes));
}

function configOf(upstreams: readonly Checked[], changes: Partial<Service> = {}) {
  const urls = upstreams.map(({ url }) => url);
  return gatewayConfigOf([serviceOf('orders', { v1: urls }, { health: HEALTH, ...changes })]);
}

async function metric(gateway: Gateway, name: string, { url }: Upstream, more = ''): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  const line = `${name}{service="orders",version="v1",endpoint="${url}"${more}} `;
  const at = body.indexOf(line);
  return at < 0 ? Number.NaN : Number(body.slice(at + line.length).split('\n')[0]);
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('active health checks', () => {
  it('take an endpoint out, bring it back, and tell', async () => {
    const [sick, well] = [await checked('sick'), await checked('well')];
    const gateway = await start([sick, well]);
    await eventually(() => sick.probes() > 0 && well.probes() > 0);
    expect(await metric(gateway, 'sluice_endpoint_healthy', sick)).toBe(1);
    sick.status = 500;
    await until(async () => (await metric(gateway, 'sluice_endpoint_healthy', sick)) === 0);
    const before = sick.served();
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('well');
    expect(sick.served()).toBe(before);
    expect(harness.log.find((line) => line.includes('endpoint is unhealthy'))).toMatch(
      /"service":"orders".*"version":"v1".*"reason":"status 500"/,
    );
    sick.status = 204;
    await until(async () => (await metric(gateway, 'sluice_endpoint_healthy', sick)) === 1);
    expect(harness.log.some((line) => line.includes('endpoint is healthy'))).toBe(true);
    const bodies = [await call(gateway, '/'), await call(gateway, '/')].map(({ body }) => body);
    expect(bodies.sort()).toEqual(['sick', 'well']);
    expect(await metric(gateway, 'sluice_endpoint_probes_total', sick, ',result="ok"')).toBeGreaterThan(2);
    expect(await metric(gateway, 'sluice_endpoint_probes_total', sick, ',result="failed"')).toBeGreaterThan(
      2,
    );
  });

  it('ask as they are told to', async () => {
    const upstream = await checked('a', 418);
    const health = { ...HEALTH, expect: [{ from: 418, to: 418 }], host: 'orders.internal' };
    const gateway = await start([upstream], { health });
    await eventually(() => upstream.probes() > 3);
    expect(await metric(gateway, 'sluice_endpoint_healthy', upstream)).toBe(1);
    const [probe] = upstream.seen;
    expect([probe?.method, probe?.url, probe?.headers.host]).toEqual([
      'GET',
      '/healthz?deep=1',
      'orders.internal',
    ]);
  });

  it('fail by silence too', async () => {
    const [mute, well] = [await checked('mute', 0), await checked('well')];
    await start([mute, well], { health: { ...HEALTH, timeoutMs: 20 } });
    await eventually(() => harness.log.some((line) => line.includes('no answer within 20ms')));
  });

  it('are ignored when fewer than half are well: the rest would be run over', async () => {
    const all = [await checked('a', 500), await checked('b', 500), await checked('c')];
    const gateway = await start(all);
    await until(async () =>
      (await admin(gateway, '/metrics')).body.includes(
        'sluice_version_panic{service="orders",version="v1"} 1',
      ),
    );
    const bodies = new Set<string>();
    for (let i = 0; i < 6; i += 1) bodies.add((await call(gateway, '/')).body);
    expect(bodies.size).toBe(3);
  });

  it('keep a new endpoint waiting until one has succeeded', async () => {
    const [old, joiner] = [await checked('old'), await checked('new', 503)];
    const gateway = await start([old]);
    await gateway.reload(configOf([old, joiner]));
    await eventually(() => joiner.probes() > 5);
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('old');
    expect(await metric(gateway, 'sluice_endpoint_healthy', joiner)).toBe(0);
    joiner.status = 200;
    await until(async () => (await call(gateway, '/')).body === 'new');
  });

  it('go on over reloads with what they know, and end with the endpoint', async () => {
    const [sick, well] = [await checked('sick', 500), await checked('well')];
    const gateway = await start([sick, well]);
    await until(async () => (await metric(gateway, 'sluice_endpoint_healthy', sick)) === 0);
    await gateway.reload(configOf([sick, well], { health: { ...HEALTH, unhealthy: 50 } }));
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('well');
    await gateway.reload(configOf([well]));
    await eventually(() => well.probes() > 0);
    const [before, others] = [sick.probes(), well.probes()];
    await eventually(() => well.probes() > others + 5);
    // One may have been on its way.
    expect(sick.probes()).toBeLessThanOrEqual(before + 1);
  });

  it('leave everyone in rotation when they are switched off', async () => {
    const [sick, well] = [await checked('sick', 500), await checked('well')];
    const gateway = await start([sick, well]);
    await until(async () => (await metric(gateway, 'sluice_endpoint_healthy', sick)) === 0);
    await gateway.reload(configOf([sick, well], { health: null }));
    const bodies = [await call(gateway, '/'), await call(gateway, '/')].map(({ body }) => body);
    expect(bodies.sort()).toEqual(['sick', 'well']);
  });

  it('are no attempts of the version', async () => {
    const upstream = await checked('a', 500);
    const gateway = await start([upstream]);
    await eventually(() => upstream.probes() > 5);
    const { body } = await admin(gateway, '/metrics');
    expect(body).not.toMatch(/http_client_request_duration_seconds_count\{/);
  });
});
