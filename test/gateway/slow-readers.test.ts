import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { cached } from '../support/caching-gateway.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, type Upstream } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let log: AccessFile;
/** Answers of the upstream that are open. */
let open = 0;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
  open = 0;
});

afterEach(() => harness.close());

const MIB = 1_048_576;
/** More than the sockets of the system hold on both hops. */
const LONG = 192 * MIB;
const TRANSFER_MS = 60_000;
vi.setConfig({ testTimeout: 90_000 });

async function pouring(bytes: number, fields: Record<string, string> = {}): Promise<Upstream> {
  const piece = Buffer.alloc(65_536, 'x');
  return harness.upstream((_request, response) => {
    open += 1;
    response.on('close', () => {
      open -= 1;
    });
    response.writeHead(200, { 'content-length': String(bytes), ...fields });
    let left = bytes;
    const pour = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= piece.length;
        if (!response.write(piece)) {
          response.once('drain', pour);
          return;
        }
      }
      response.end();
    };
    pour();
  });
}

function gatewayTo(upstream: Upstream, limits: Partial<ListenerLimits>, idleMs = 60_000): Promise<Gateway> {
  const timeout = { connectMs: 5_000, responseMs: 60_000, idleMs, totalMs: 60_000 };
  return harness.gateway(
    gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
      listeners: [listenerOf({ http2: true, limits: { ...DEFAULT_LISTENER_LIMITS, ...limits } })],
      routes: [routeOf('orders', { timeout })],
      accessLog: log.config,
    }),
  );
}

/** Asks over HTTP/1.1 and takes `bytes` at each tick; `taken` grows until the connection ends. */
function reader(gateway: Gateway, bytes: number, everyMs: number) {
  // Of streams in general, though the types of sockets do not name it.
  const room = { highWaterMark: bytes };
  const socket = connect(Object.assign({ port: portOf(gateway), host: '127.0.0.1' }, room));
  const state = { socket, taken: 0, ended: false };
  socket.on('error', () => {});
  socket.on('close', () => {
    state.ended = true;
  });
  socket.pause();
  const timer = setInterval(() => {
    const piece = socket.read(bytes) ?? socket.read();
    state.taken += piece?.length ?? 0;
  }, everyMs);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  harness.onClose(async () => {
    clearInterval(timer);
    socket.destroy();
  });
  return state;
}

async function slowReaders(gateway: Gateway): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  return Number(/sluice_slow_readers_total\{[^}]*service="orders"[^}]*\} (\d+)/.exec(body)?.[1] ?? 0);
}

describe('a client that takes its response too slowly', () => {
  it('is cut off, counted and logged, and no version is blamed', async () => {
    const gateway = await gatewayTo(await pouring(LONG), { minReadBytesPerSecond: MIB, readGraceMs: 500 });
    const client = reader(gateway, 8_192, 100);
    await eventually(() => open === 1);
    await eventually(() => open === 0, TRANSFER_MS);
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    await eventually(() => harness.outcomes('v1', 'responses', 'clientAborted') === 1);
    expect(await log.lines(1)).toMatchObject([{ status: 200, error: 'CLIENT_TOO_SLOW', version: 'v1' }]);
    expect(await slowReaders(gateway)).toBe(1);
    client.socket.destroy();
  });

  it('is cut off where it takes nothing at all, by the idle time of its route', async () => {
    const gateway = await gatewayTo(await pouring(LONG), { minReadBytesPerSecond: 0 }, 500);
    reader(gateway, 1, 3_600_000);
    expect((await log.lines(1))[0]).toMatchObject({ error: 'CLIENT_TOO_SLOW' });
    await eventually(() => open === 0);
    expect(await slowReaders(gateway)).toBe(1);
  });

  it('is not one that takes large steps with long pauses', async () => {
    const limits = { minReadBytesPerSecond: 20_000, readGraceMs: 0 };
    const gateway = await gatewayTo(await pouring(16 * MIB), limits);
    const client = reader(gateway, 2 * MIB, 400);
    await eventually(() => client.ended, TRANSFER_MS);
    expect(client.taken).toBeGreaterThan(16 * MIB);
    expect(await log.lines(1)).toMatchObject([{ error: '' }]);
  });

  it('is not one whose upstream is slow', async () => {
    const piece = Buffer.alloc(12 * MIB, 'x');
    const upstream = await harness.upstream((_request, response) => {
      response.write(piece);
      let left = 25;
      const timer = setInterval(() => {
        response.write('.');
        left -= 1;
        if (left === 0) response.end();
      }, 100);
      response.on('close', () => clearInterval(timer));
    });
    // Nobody could keep up with that over the time that the upstream takes.
    const gateway = await gatewayTo(upstream, { minReadBytesPerSecond: MIB, readGraceMs: 200 });
    const client = reader(gateway, 16 * MIB, 1);
    await eventually(() => client.ended, TRANSFER_MS);
    expect(await log.lines(1)).toMatchObject([{ error: '' }]);
  });

  it('may be one that reads an event stream', async () => {
    const upstream = await pouring(LONG, { 'content-type': 'text/event-stream' });
    const gateway = await gatewayTo(upstream, { minReadBytesPerSecond: MIB, readGraceMs: 0 });
    const client = reader(gateway, 8_192, 50);
    await eventually(() => client.taken > 40 * 8_192, TRANSFER_MS);
    expect(client.ended).toBe(false);
    expect(open).toBe(1);
  });

  it('is cut off over what the gateway has stored, too', async () => {
    const limits = { ...DEFAULT_LISTENER_LIMITS, minReadBytesPerSecond: MIB, readGraceMs: 500 };
    const { gateway, calls } = await cached(
      harness,
      (_request, response) =>
        response.writeHead(200, { 'cache-control': 'max-age=60' }).end(Buffer.alloc(24 * MIB)),
      { maxBytes: 32 * MIB },
      {},
      { listeners: [listenerOf({ limits })], cacheBytes: 64 * MIB, accessLog: log.config },
    );
    const first = reader(gateway, 16 * MIB, 1);
    await eventually(() => first.ended, TRANSFER_MS);
    reader(gateway, 1, 3_600_000);
    expect((await log.lines(2))[1]).toMatchObject({ cache: 'hit', error: 'CLIENT_TOO_SLOW' });
    expect(calls()).toBe(1);
  });
});

describe('a client of HTTP/2', () => {
  function sessionTo(port: number): ClientHttp2Session {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    harness.onClose(async () => session.destroy());
    return session;
  }

  it('that leaves one response lying loses that one only', async () => {
    const gateway = await gatewayTo(await pouring(LONG), { minReadBytesPerSecond: MIB, readGraceMs: 500 });
    const session = sessionTo(portOf(gateway));
    const left = session.request({ ':path': '/' });
    left.on('error', () => {});
    await once(left, 'response');
    left.pause();
    await new Promise((resolve) => left.on('close', resolve));
    expect(await log.lines(1)).toMatchObject([{ error: 'CLIENT_TOO_SLOW' }]);
    await eventually(() => open === 0);
    const next = session.request({ ':path': '/' });
    next.on('error', () => {});
    expect((await once(next, 'response'))[0]).toMatchObject({ ':status': 200 });
    next.close();
  });

  it('that stops reading its connection loses the connection', async () => {
    const limits = { minReadBytesPerSecond: MIB, readGraceMs: 0, keepAliveMs: 300, headersTimeoutMs: 300 };
    const gateway = await gatewayTo(await pouring(LONG), limits);
    // What stands between the two takes a while and then nothing more.
    const between: Socket[] = [];
    const relay = createServer((client) => {
      const onward = connect(portOf(gateway), '127.0.0.1');
      between.push(client, onward);
      for (const socket of [client, onward]) socket.on('error', () => {});
      client.pipe(onward);
      onward.once('data', (piece) => {
        onward.pause();
        client.write(piece);
      });
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => {
      for (const socket of between) socket.destroy();
      relay.close();
    });
    const address = relay.address();
    const session = sessionTo(typeof address === 'object' ? (address?.port ?? 0) : 0);
    await once(session, 'connect');
    session.setLocalWindowSize(2 ** 31 - 1);
    session.settings({ initialWindowSize: 2 ** 31 - 1 });
    for (let i = 0; i < 3; i += 1) session.request({ ':path': '/' }).on('error', () => {});
    await log.lines(3);
    const connections = async (): Promise<boolean> =>
      /sluice_listener_connections\{[^}]*\} 0/.test((await admin(gateway, '/metrics')).body);
    let gone = false;
    const deadline = performance.now() + TRANSFER_MS;
    while (!gone && performance.now() < deadline) gone = await connections();
    expect(gone).toBe(true);
  });
});
