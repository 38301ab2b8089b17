import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DEFAULT_LISTENER_LIMITS,
  type ListenerConfig,
  type ListenerLimits,
} from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => {
    request.resume();
    request.on('end', () => response.end('answer'));
  });
});

afterEach(() => harness.close());

const HOST = 'Host: shop.test\r\n';
const CLOSE = 'Connection: close\r\n';

function configOf(limits: Partial<ListenerLimits>, more: Partial<ListenerConfig>[] = []) {
  const all = [{ limits: { ...DEFAULT_LISTENER_LIMITS, ...limits } }, ...more];
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    listeners: all.map((changes) => listenerOf(changes)),
    accessLog: accessFile(harness).config,
  });
}

const open = (limits: Partial<ListenerLimits>): Promise<Gateway> => harness.gateway(configOf(limits));

function socketTo(gateway: Gateway): Socket {
  const socket = connect(portOf(gateway), '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

/** Milliseconds until the other side ends a connection on which `piece` is sent five times a second. */
function lifeOf(socket: Socket, first: string, piece: string): Promise<number> {
  const startedMs = performance.now();
  socket.on('error', () => {});
  socket.resume();
  socket.write(first);
  const timer = setInterval(() => socket.writable && socket.write(piece), 200);
  return new Promise((resolve) => {
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearInterval(timer);
      resolve(performance.now() - startedMs);
    });
  });
}

describe('limits of a listener', () => {
  it('closes connections beyond maxConnections and counts them', async () => {
    const gateway = await open({ maxConnections: 2 });
    const held = [socketTo(gateway), socketTo(gateway)];
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.on('connect', resolve))));
    expect(await raw(portOf(gateway), `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`)).toBe('');
    const metrics = (await admin(gateway, '/metrics')).body;
    expect(metrics).toMatch(/sluice_listener_connections\{[^}]*\} 2/);
    expect(metrics).toMatch(/sluice_listener_dropped_connections_total\{[^}]*\} 1/);
    for (const socket of held) socket.destroy();
    const answered = async () => (await raw(portOf(gateway), `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`)) !== '';
    const deadline = performance.now() + 5_000;
    while (!(await answered())) expect(performance.now()).toBeLessThan(deadline);
  });

  it.each([
    ['maxHeaderBytes', { maxHeaderBytes: 1_024 }, `/ HTTP/1.1\r\n${HOST}X: ${'x'.repeat(1_024)}`, 431],
    ['maxHeaders', { maxHeaders: 2 }, `/ HTTP/1.1\r\n${HOST}A: 1\r\nB: 2`, 431],
    ['maxUriLength', { maxUriLength: 16 }, `/${'x'.repeat(16)} HTTP/1.1\r\n${HOST}`, 414],
  ])('refuses what is beyond %s', async (_name, limits, rest, status) => {
    const gateway = await open(limits);
    expect(await raw(portOf(gateway), `GET ${rest.trimEnd()}\r\n\r\n`)).toMatch(`HTTP/1.1 ${status} `);
    const within = `GET /${'x'.repeat(15)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
    expect(await raw(portOf(gateway), within)).toMatch(/^HTTP\/1.1 200 /);
  });

  it('ends a head after headersTimeout with 408, also one that goes on trickling', async () => {
    const gateway = await open({ headersTimeoutMs: 300 });
    const start = `GET / HTTP/1.1\r\n${HOST}X: `;
    expect(await raw(portOf(gateway), start)).toMatch(/^HTTP\/1.1 408 [\s\S]*REQUEST_TIMEOUT/);
    expect(await lifeOf(socketTo(gateway), start, 'x')).toBeLessThan(3_000);
  });

  it('ends a request after requestTimeout, however fast it comes', async () => {
    const gateway = await open({ headersTimeoutMs: 300, requestTimeoutMs: 600 });
    const start = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
    const piece = `3e8\r\n${'x'.repeat(1_000)}\r\n`;
    expect(await lifeOf(socketTo(gateway), start, piece)).toBeLessThan(4_000);
  });

  it('closes an idle connection after keepAlive', async () => {
    const gateway = await open({ keepAliveMs: 100 });
    const text = await raw(portOf(gateway), `GET / HTTP/1.1\r\n${HOST}\r\n`);
    expect(text).toMatch(/^HTTP\/1.1 200 /);
  });

  it('changes by a reload, but for the size of heads', async () => {
    const config = configOf({});
    const gateway = await harness.gateway(config);
    const changed = (limits: Partial<ListenerLimits>) => ({
      ...config,
      listeners: [listenerOf({ limits: { ...DEFAULT_LISTENER_LIMITS, ...limits } })],
    });
    expect(await gateway.reload(changed({ maxUriLength: 16 }))).toEqual({ ok: true });
    const long = `GET /${'x'.repeat(16)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
    expect(await raw(portOf(gateway), long)).toMatch(/^HTTP\/1.1 414 /);
    const refused = { ok: false, cause: 'restart-needed' };
    expect(await gateway.reload(changed({ maxHeaderBytes: 2_048 }))).toMatchObject(refused);
  });
});

describe('the minimum speed', () => {
  it('ends a body that comes too slowly with 408, and blames no version', async () => {
    const gateway = await open({ minBytesPerSecond: 1_000, graceMs: 500 });
    const head = `POST / HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n`;
    expect(await raw(portOf(gateway), `${head}x`)).toMatch(/^HTTP\/1.1 408 [\s\S]*came too slowly/);
    const streamed = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`;
    expect(await raw(portOf(gateway), streamed)).toMatch(/^HTTP\/1.1 408 /);
    expect(harness.outcomes('v1', 'attempts', 'status5xx')).toBe(0);
  });

  it('lets a body pass that is slow at times and fast enough on the whole', async () => {
    const gateway = await open({ minBytesPerSecond: 1_000, graceMs: 3_000 });
    const head = `POST / HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 6000\r\n\r\n`;
    const text = await raw(portOf(gateway), head, (socket) => {
      setTimeout(() => socket.write('x'.repeat(3_000)), 1_500);
      setTimeout(() => socket.write('x'.repeat(3_000)), 3_000);
    });
    expect(text).toMatch(/^HTTP\/1.1 200 /);
  });

  it('counts no time in which the gateway itself does not read', async () => {
    upstream.server.removeAllListeners('request');
    let go: (() => void) | null = null;
    upstream.server.on('request', (request, response) => {
      go = () => request.resume();
      request.on('end', () => response.end('late'));
    });
    const route = routeOf('orders', {
      maxBodyBytes: 64_000_000,
      timeout: { connectMs: 1_000, responseMs: 9_000, idleMs: 9_000, totalMs: 9_000 },
    });
    const gateway = await harness.gateway({
      ...configOf({ minBytesPerSecond: 1_000, graceMs: 500 }),
      routes: [route],
    });
    const size = 32_000_000;
    const text = raw(
      portOf(gateway),
      `POST / HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: ${size}\r\n\r\n`,
      (socket) => socket.write(Buffer.alloc(size)),
    );
    await eventually(() => go !== null);
    setTimeout(() => go?.(), 1_900);
    expect(await text).not.toMatch(/ 408 /);
  });

  it('has every slow client gone within 12 s by default: in handshake, head and body', {
    timeout: 30_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const pair = createAuthority().issue(['shop.test']);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.cert, pair.cert);
    await writeFile(files.key, pair.key);
    const tls = { certificates: [files], minVersion: 'TLSv1.2' as const, clientCertificates: null };
    const gateway = await harness.gateway(configOf({}, [{ tls }]));
    const securePort = gateway.addresses[1]?.port ?? 0;
    const secure = connectTls({ port: securePort, host: '127.0.0.1', rejectUnauthorized: false });
    const head = `GET / HTTP/1.1\r\n${HOST}X: `;
    const body = `POST / HTTP/1.1\r\n${HOST}`;
    const lives = await Promise.all([
      lifeOf(socketTo(gateway), head, 'x'),
      lifeOf(socketTo(gateway), `${body}Content-Length: 10000\r\n\r\n`, 'x'),
      lifeOf(socketTo(gateway), `${body}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
      lifeOf(connect(securePort, '127.0.0.1'), '\x16\x03\x01', '\x01'),
      lifeOf(secure, head, 'x'),
    ]);
    for (const life of lives) expect(life).toBeLessThan(12_000);
  });
});

describe('what is refused before it is a request', () => {
  it('has its line in the access log and its count', async () => {
    const log = accessFile(harness);
    const config = { ...configOf({ headersTimeoutMs: 300 }), accessLog: log.config };
    const gateway = await harness.gateway(config);
    const port = portOf(gateway);
    const garbage = await raw(port, 'nonsense\r\n\r\n');
    await raw(port, `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
    await raw(port, `CONNECT shop.test:443 HTTP/1.1\r\n${HOST}\r\n`);
    await raw(port, 'GET / HT');
    const lines = await log.lines(4);
    expect(lines.map(({ method, status, error }) => [method, status, error])).toEqual([
      ['', 400, 'MALFORMED_REQUEST'],
      ['GET', 501, 'UPGRADE_REFUSED'],
      ['CONNECT', 501, 'METHOD_NOT_IMPLEMENTED'],
      ['', 408, 'REQUEST_TIMEOUT'],
    ]);
    expect(lines[0]).toMatchObject({ client_ip: '127.0.0.1' });
    expect(garbage).toContain(String(lines[0]?.request_id));
    const metrics = (await admin(gateway, '/metrics')).body;
    for (const status of [400, 408, 501])
      expect(metrics).toMatch(new RegExp(`request_duration_seconds_count\\{[^}]*status_code="${status}"`));
  });
});
