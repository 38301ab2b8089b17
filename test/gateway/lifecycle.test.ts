import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw, splitOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('draining', () => {
  it('fails readiness, ends requests in flight, closes their connections and then refuses new ones', async () => {
    let release = (): void => {};
    const upstream = await harness.upstream((_request, response) => {
      release = () => response.end('done');
    });
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })]));
    expect((await admin(gateway, '/readyz')).status).toBe(200);
    const answer = raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => upstream.seen.length === 1);
    const drained = gateway.drain();
    expect((await admin(gateway, '/readyz')).status).toBe(503);
    expect((await admin(gateway, '/healthz')).status).toBe(200);
    release();
    expect(await answer).toMatch(/Connection: close[\s\S]*done/);
    await drained;
    await expect(call(gateway, '/')).rejects.toThrow(/ECONNREFUSED/);
    await gateway.close();
  });

  it('ends what does not end by itself after its time', async () => {
    const upstream = await harness.upstream(() => {});
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
        drainMs: 300,
        routes: [
          routeOf('orders', {
            timeout: { connectMs: 1_000, responseMs: 60_000, idleMs: 60_000, totalMs: 60_000 },
          }),
        ],
      }),
    );
    const answer = raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => upstream.seen.length === 1);
    const startedMs = performance.now();
    await gateway.drain();
    // Half of what the request itself may take.
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    expect(await answer).toBe('');
  });

  it('drops no request of clients that keep their connections and turn away when told to', async () => {
    const upstream = await harness.named('v1');
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })]));
    const agent = new Agent({ connections: 8, pipelining: 1 });
    harness.onClose(() => agent.close());
    let sent = 0;
    let answered = 0;
    const failures: unknown[] = [];
    /** Goes on until an answer tells it to turn away, as a client with another gateway to go to does. */
    const client = async (): Promise<void> => {
      for (let asked = false; !asked; ) {
        sent += 1;
        try {
          const reply = await request(`http://127.0.0.1:${portOf(gateway)}/`, { dispatcher: agent });
          await reply.body.text();
          answered += 1;
          asked = reply.headers.connection === 'close';
        } catch (error) {
          failures.push(error);
          return;
        }
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await eventually(() => answered > 200);
    await gateway.drain();
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(answered).toBe(sent);
  });
});

describe('reloading', () => {
  it('drops no request under way and lets go of pools that nobody uses any more', async () => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const configs = [v1, v2].map((upstream) =>
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })]),
    );
    const [first, second] = configs;
    if (first === undefined || second === undefined) throw new Error('two configurations');
    let toV2 = 0;
    v2.server.on('connection', (socket) => {
      toV2 += 1;
      socket.on('close', () => {
        toV2 -= 1;
      });
    });
    const gateway = await harness.gateway(first);
    let running = true;
    const statuses = new Map<number, number>();
    const clients = Array.from({ length: 8 }, async () => {
      while (running) {
        const { status } = await call(gateway, '/', { method: 'POST', body: 'x' });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    for (let i = 0; i < 20; i += 1) {
      const before = statuses.get(200) ?? 0;
      expect(await gateway.reload(i % 2 === 0 ? second : first)).toEqual({ ok: true });
      await eventually(() => (statuses.get(200) ?? 0) > before + 10);
    }
    running = false;
    await Promise.all(clients);
    expect([...statuses.keys()]).toEqual([200]);
    await eventually(() => toV2 === 0, 3_000);
  });

  it('says that changed addresses need a restart, and changes nothing', async () => {
    const v1 = await harness.named('v1');
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]);
    const gateway = await harness.gateway(config);
    const moved = {
      ...config,
      listeners: [listenerOf({ address: { host: '127.0.0.1', port: 1 } })],
      routes: [],
    };
    expect(await gateway.reload(moved)).toMatchObject({ ok: false, cause: 'restart-needed' });
    expect((await call(gateway, '/')).body).toBe('v1');
  });

  it('keeps the old configuration when the new one cannot be compiled', async () => {
    const v1 = await harness.named('v1');
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]);
    const gateway = await harness.gateway(config);
    const bad = { ...config, routes: [routeOf('nobody')] };
    expect(await gateway.reload(bad)).toMatchObject({ ok: false, cause: 'failed' });
    expect((await call(gateway, '/')).body).toBe('v1');
  });

  it('keeps weights in force', async () => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] })]);
    const gateway = await harness.gateway(config);
    await harness.channel.write(splitOf('orders', 1, 10_000));
    await gateway.reload({ ...config, drainMs: 5 });
    expect((await call(gateway, '/')).body).toBe('v2');
  });
});

describe('starting', () => {
  it.each([
    ['keeps users on the canary when the operator renews its lease', true, 'v2'],
    ['sends them to the baseline when nobody does', false, 'v1'],
  ])('holds requests until it knows, and %s', async (_case, renewed, version) => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const lease = { ttlMs: 30_000, onExpiry: 'baseline' } as const;
    await harness.channel.write(splitOf('orders', 1, 10_000, { lease }));
    const timer = setInterval(() => {
      if (renewed) void harness.channel.renew('orders', 1, 1);
    }, 500);
    harness.onClose(async () => clearInterval(timer));
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] })]),
    );
    expect((await call(gateway, '/')).body).toBe(version);
    const states = new Set(harness.channel.acknowledged.map(({ state }) => state));
    expect([...states]).toEqual([renewed ? 'applied' : 'lease-expired']);
  });

  it('fails when an address is taken, and leaves nothing open', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const v1 = await harness.named('v1');
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]);
    const clash = { ...config, admin: { address: { host: '127.0.0.1', port } } };
    await expect(harness.gateway(clash)).rejects.toThrow(`cannot listen at 127.0.0.1:${port}: it is in use`);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('names itself after host and port, unless it is named', async () => {
    const v1 = await harness.named('v1');
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]);
    const unnamed = await harness.gateway(config);
    expect(unnamed.name).toMatch(new RegExp(`^.+:${portOf(unnamed)}$`));
    expect((await harness.gateway({ ...config, name: 'edge-1' })).name).toBe('edge-1');
  });
});

describe('recording', () => {
  it('writes one line per request with patterns instead of paths', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const path = join(folder, 'access.log');
    const v1 = await harness.named('v1');
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })], {
        accessLog: { kind: 'file', path },
        routes: [
          routeOf('orders', {
            name: 'order',
            path: { kind: 'template', path: '/orders/{id}' },
            methods: ['GET'],
          }),
          routeOf('orders', { name: 'files', path: { kind: 'prefix', path: '/files' } }),
        ],
      }),
    );
    await call(gateway, '/orders/secret-17', {
      headers: { 'x-user-id': 'ann', 'x-request-id': 'request-1' },
    });
    await call(gateway, '/files/secret/x?y=secret');
    await call(gateway, '/orders/secret-17', { method: 'POST' });
    await call(gateway, '/secret');
    await gateway.close();
    const text = await readFile(path, 'utf8');
    expect(text).not.toContain('secret');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({
      method: 'GET',
      route: 'order',
      path: '/orders/{id}',
      status: 200,
      service: 'orders',
      version: 'v1',
      forced: false,
      endpoint: v1.url,
      attempts: 1,
      sticky: 'header:x-user-id',
      request_id: 'request-1',
      client_ip: '127.0.0.1',
      bytes: 2,
      error: '',
    });
    expect(lines[0].time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(lines[0].trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(lines.map(({ status, path: pattern, error }) => [status, pattern, error])).toEqual([
      [200, '/orders/{id}', ''],
      [200, '/files/*', ''],
      [405, '', 'METHOD_NOT_ALLOWED'],
      [404, '', 'ROUTE_UNKNOWN'],
    ]);
  });

  it('lists the methods that a path has', async () => {
    const v1 = await harness.named('v1');
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })], {
        routes: [routeOf('orders', { methods: ['GET', 'PUT'] })],
      }),
    );
    const reply = await call(gateway, '/', { method: 'POST' });
    expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, HEAD, PUT']);
  });

  it('keeps summaries while the stream is away and delivers them in order when it is back', async () => {
    const v1 = await harness.named('v1');
    harness.stream.down = true;
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [v1.url] })]));
    await call(gateway, '/');
    await eventually(() => harness.log.some((line) => line.includes('telemetry cannot be delivered')));
    harness.stream.down = false;
    await eventually(() => harness.stream.summaries.length >= 2);
    expect(harness.stream.summaries[0]).toMatchObject({
      sequence: 1,
      service: 'orders',
      incarnation: 'test-1',
    });
    expect(harness.stream.summaries[0]?.versions.v1?.responses.outcomes.status2xx).toBe(1);
    expect(harness.stream.summaries.every(({ secondMs }) => secondMs % 1_000 === 0)).toBe(true);
  });
});
