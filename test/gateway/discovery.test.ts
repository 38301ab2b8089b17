import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createH2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/config/gateway-model.ts';
import type { DiscoverySource } from '../../src/config/policies/upstreams.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { DnsServer } from '../support/dns-server.ts';
import { gatewayConfigOf, PLAIN, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness } from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let dns: DnsServer;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  dns = await DnsServer.open();
  harness.onClose(() => dns.close());
});

afterEach(() => harness.close());

const NAME = 'orders.internal';

/** Servers on one port of several loopback addresses; each answers with its address. */
async function fleet(addresses: readonly string[], listener?: RequestListener): Promise<number> {
  let port = 0;
  for (const address of addresses) {
    const server = createServer(listener ?? ((_request, response) => response.end(address)));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    port = (server.address() as AddressInfo).port;
    harness.onClose(async () => {
      server.closeAllConnections();
      server.close();
    });
  }
  return port;
}

function byName(
  port: number,
  changes: Partial<Extract<DiscoverySource, { kind: 'dns' }>> = {},
): DiscoverySource {
  return {
    kind: 'dns',
    host: NAME,
    port,
    family: 'any',
    scheme: 'http',
    refreshMs: 50,
    weight: 1,
    zone: '',
    priority: 0,
    ...changes,
  };
}

function configOf(sources: readonly DiscoverySource[], changes: Partial<Service> = {}) {
  const service = serviceOf(
    'orders',
    {},
    { versions: { v1: { endpoints: sources, ...PLAIN } }, defaultVersion: 'v1', ...changes },
  );
  return gatewayConfigOf([service], {
    resolver: { servers: [dns.address], timeoutMs: 200 },
    routes: [routeOf('orders')],
  });
}

/** The bodies of several calls, sorted and each once. */
async function seen(gateway: Gateway, calls = 6): Promise<string[]> {
  const bodies = new Set<string>();
  for (let i = 0; i < calls; i += 1) bodies.add((await call(gateway, '/')).body);
  return [...bodies].sort();
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const seesOnly = (gateway: Gateway, ...bodies: string[]) =>
  until(async () => JSON.stringify(await seen(gateway)) === JSON.stringify(bodies));

async function metric(gateway: Gateway, name: string): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  return Number(new RegExp(`^${name}\\{source="[^"]*"\\} (\\d+)`, 'm').exec(body)?.[1]);
}

describe('discovery by name', () => {
  it('finds A and AAAA records and follows their changes', async () => {
    const port = await fleet(['127.0.0.1', '127.0.0.2', '::1']);
    dns.zones.set(NAME, { a: ['127.0.0.1'], aaaa: ['::1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    expect(await seen(gateway)).toEqual(['127.0.0.1', '::1']);
    dns.zones.set(NAME, { a: ['127.0.0.2'] });
    await seesOnly(gateway, '127.0.0.2');
    expect(await metric(gateway, 'sluice_discovery_endpoints')).toBe(1);
    const change = harness.log.findLast((line) => line.includes('endpoints have changed'));
    expect(change).toContain(`"added":["http://127.0.0.2:${port}"]`);
  });

  it('sends the name as Host, over HTTP/1.1 and HTTP/2', async () => {
    const port = await fleet(['127.0.0.1'], ({ headers }, response) => response.end(headers.host));
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    expect(await seen(gateway, 2)).toEqual([`${NAME}:${port}`]);
    const server = createH2Server();
    server.on('session', (session) => harness.onClose(async () => session.destroy()));
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(headers[':authority']);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => server.close());
    const { port: h2Port } = server.address() as AddressInfo;
    const endpoints = [byName(h2Port)];
    const versions = { v1: { endpoints, ...PLAIN, protocol: 'h2' as const } };
    await gateway.reload(configOf(endpoints, { versions }));
    expect(await seen(gateway, 2)).toEqual([`${NAME}:${h2Port}`]);
  });

  it('asks again after the TTL, not before', async () => {
    const port = await fleet(['127.0.0.1', '127.0.0.2']);
    dns.zones.set(NAME, { a: ['127.0.0.1'], ttl: 3_600 });
    dns.zones.set('other.internal', { a: ['127.0.0.2'], ttl: 0 });
    const service = (name: string, host: string) =>
      serviceOf(
        name,
        {},
        {
          versions: { v1: { endpoints: [byName(port, { host, refreshMs: 600_000 })], ...PLAIN } },
          defaultVersion: 'v1',
        },
      );
    await harness.gateway(
      gatewayConfigOf([service('orders', NAME), service('other', 'other.internal')], {
        resolver: { servers: [dns.address], timeoutMs: 200 },
      }),
    );
    const asked = (host: string) => dns.asked.filter((question) => question === `${host} 1`).length;
    // No TTL at all still holds for a second.
    await eventually(() => asked('other.internal') === 3);
    expect(asked(NAME)).toBe(1);
  });

  it.each<[string, () => void]>([
    ['the server is silent', () => dns.zones.set(NAME, { silent: true })],
    ['the server fails', () => dns.zones.set(NAME, { failA: 2, failAaaa: 2 })],
    ['the name is gone', () => dns.zones.delete(NAME)],
    ['the answer is empty', () => dns.zones.set(NAME, {})],
  ])('keeps the last good endpoints when %s, and tells', async (_title, breakIt) => {
    const port = await fleet(['127.0.0.1', '127.0.0.2']);
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    expect(await metric(gateway, 'sluice_discovery_stale')).toBe(0);
    breakIt();
    await until(async () => (await metric(gateway, 'sluice_discovery_stale')) === 1);
    expect(await seen(gateway)).toEqual(['127.0.0.1']);
    expect(await metric(gateway, 'sluice_discovery_failures_total')).toBeGreaterThan(0);
    expect(harness.log.filter((line) => line.includes('those known so far stay'))).toHaveLength(1);
    dns.zones.set(NAME, { a: ['127.0.0.2'] });
    await seesOnly(gateway, '127.0.0.2');
    expect(await metric(gateway, 'sluice_discovery_stale')).toBe(0);
  });

  it('keeps the addresses of a family whose question alone fails', async () => {
    const port = await fleet(['127.0.0.1', '127.0.0.2', '::1']);
    dns.zones.set(NAME, { a: ['127.0.0.1'], aaaa: ['::1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    dns.zones.set(NAME, { a: ['127.0.0.2'], aaaa: ['::1'], failAaaa: 2 });
    await seesOnly(gateway, '127.0.0.2', '::1');
  });

  it('answers 503 while no endpoint was ever found, without blaming the version', async () => {
    const port = await fleet(['127.0.0.1']);
    const gateway = await harness.gateway(configOf([byName(port)]));
    const reply = await call(gateway, '/');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([503, 'NO_ENDPOINT']);
    expect((await admin(gateway, '/metrics')).body).not.toMatch(
      /http_client_request_duration_seconds_count\{/,
    );
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    await seesOnly(gateway, '127.0.0.1');
  });

  it('lets requests at an endpoint that is gone come to their end, then closes its connections', async () => {
    const held: (() => void)[] = [];
    const sockets: Socket[] = [];
    const port = await fleet(['127.0.0.1'], (request, response) => {
      sockets.push(request.socket);
      response.write('half');
      held.push(() => response.end(' and half'));
    });
    const other = createServer((_request, response) => response.end('new'));
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.2', resolve));
    harness.onClose(async () => other.close());
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    const reply = call(gateway, '/');
    await eventually(() => held.length === 1);
    dns.zones.set(NAME, { a: ['127.0.0.2'] });
    await eventually(() => harness.log.some((line) => line.includes('127.0.0.2:')));
    expect(await seen(gateway)).toEqual(['new']);
    expect(held).toHaveLength(1);
    held[0]?.();
    expect((await reply).body).toBe('half and half');
    await eventually(() => sockets[0]?.destroyed);
  });

  it('leaves no circuit breaker behind for an endpoint that is gone', async () => {
    const port = await fleet(['127.0.0.1', '127.0.0.2']);
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    const config = configOf([byName(port)]);
    const breaker = {
      per: 'endpoint' as const,
      errorShare: 0.5,
      slow: null,
      windowMs: 10_000,
      minimum: 20,
      openMs: 10_000,
      recoverMs: 0,
    };
    const gateway = await harness.gateway({ ...config, routes: [routeOf('orders', { breaker })] });
    const breakers = async () =>
      (await admin(gateway, '/metrics')).body.match(/sluice_breaker_state\{.*endpoint="[^"]+"/g) ?? [];
    await seesOnly(gateway, '127.0.0.1');
    expect(await breakers()).toHaveLength(1);
    dns.zones.set(NAME, { a: ['127.0.0.2'] });
    await seesOnly(gateway, '127.0.0.2');
    expect(await breakers()).toHaveLength(1);
  });

  it('stays as it is over a reload, and ends when nobody needs it', async () => {
    const port = await fleet(['127.0.0.1']);
    dns.zones.set(NAME, { a: ['127.0.0.1'] });
    const gateway = await harness.gateway(configOf([byName(port)]));
    dns.zones.set(NAME, { silent: true });
    expect(await gateway.reload(configOf([byName(port)], { balance: 'leastRequests' }))).toEqual({
      ok: true,
    });
    expect(await seen(gateway)).toEqual(['127.0.0.1']);
    const fixed = gatewayConfigOf([serviceOf('orders', { v1: [`http://127.0.0.1:${port}`] })]);
    await gateway.reload(fixed);
    expect((await admin(gateway, '/metrics')).body).not.toContain('sluice_discovery_endpoints{');
    expect(await seen(gateway)).toEqual(['127.0.0.1']);
  });
});

describe('discovery by SRV records', () => {
  it('takes ports, weights and priorities from them', async () => {
    const port = await fleet(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    dns.zones.set('a.internal', { a: ['127.0.0.1'] });
    dns.zones.set('b.internal', { a: ['127.0.0.2'] });
    dns.zones.set('c.internal', { a: ['127.0.0.3'] });
    const records = [
      { priority: 10, weight: 75, port, target: 'a.internal' },
      { priority: 10, weight: 25, port, target: 'b.internal' },
      { priority: 20, weight: 100, port, target: 'c.internal' },
    ];
    dns.zones.set('_http._tcp.orders.internal', { srv: records });
    const source: DiscoverySource = {
      kind: 'srv',
      host: '_http._tcp.orders.internal',
      scheme: 'http',
      refreshMs: 50,
      zone: '',
    };
    const gateway = await harness.gateway(configOf([source]));
    const counts: Record<string, number> = {};
    for (let i = 0; i < 40; i += 1) {
      const { body } = await call(gateway, '/');
      counts[body] = (counts[body] ?? 0) + 1;
    }
    expect(counts).toEqual({ '127.0.0.1': 30, '127.0.0.2': 10 });
    dns.zones.set('_http._tcp.orders.internal', { srv: records.slice(2) });
    await seesOnly(gateway, '127.0.0.3');
    // "Not offered" is an empty answer.
    dns.zones.set('_http._tcp.orders.internal', { srv: [{ priority: 0, weight: 0, port: 0, target: '.' }] });
    await until(async () => (await metric(gateway, 'sluice_discovery_stale')) === 1);
    expect(await seen(gateway)).toEqual(['127.0.0.3']);
  });
});

describe('discovery by file', () => {
  it('reads it, follows it, and keeps the last good list', async () => {
    const [a, b] = [await harness.named('a'), await harness.named('b')];
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const path = join(folder, 'endpoints.json');
    const replace = async (text: string): Promise<void> => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    await replace(JSON.stringify([a.url]));
    const gateway = await harness.gateway(configOf([{ kind: 'file', path }]));
    expect(await seen(gateway)).toEqual(['a']);
    await replace(`- { url: '${a.url}', weight: 2 }\n- ${b.url}\n`);
    await seesOnly(gateway, 'a', 'b');
    await replace('- { url: nonsense }\n');
    await until(async () => (await metric(gateway, 'sluice_discovery_stale')) === 1);
    expect(harness.log.some((line) => line.includes(`${path}:1:10 expected an origin`))).toBe(true);
    expect(await seen(gateway)).toEqual(['a', 'b']);
    await replace(JSON.stringify([b.url]));
    await seesOnly(gateway, 'b');
    await rm(path);
    await until(async () => (await metric(gateway, 'sluice_discovery_stale')) === 1);
    expect(await seen(gateway)).toEqual(['b']);
  });
});
