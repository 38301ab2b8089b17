import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import { chatServer, echo } from '../support/chat-server.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, raw, splitOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const LIVE = { upgrade: new Set(['websocket']) };
const HANDSHAKE =
  'GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';

const chat = (onConnection: (socket: WebSocket) => void): Promise<string> =>
  chatServer(harness, onConnection);

/** An upstream that answers upgrades by hand. */
async function byHand(onUpgrade: (socket: Duplex) => void): Promise<string> {
  const upstream = await harness.upstream((_request, response) => response.end());
  const sockets: Duplex[] = [];
  harness.onClose(async () => {
    for (const socket of sockets) socket.destroy();
  });
  upstream.server.on('upgrade', (_request, socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
    onUpgrade(socket);
  });
  return upstream.url;
}

async function gatewayTo(url: string, route: Partial<Route> = {}, config: Partial<GatewayConfig> = {}) {
  return harness.gateway(
    gatewayConfigOf([serviceOf('chat', { v1: [url] })], {
      routes: [routeOf('chat', { ...LIVE, ...route })],
      ...config,
    }),
  );
}

async function open(port: number, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers });
  socket.on('error', () => {});
  harness.onClose(async () => socket.terminate());
  await once(socket, 'open');
  return socket;
}

describe('a WebSocket through the gateway', () => {
  it('is a success for the circuit breaker, and holds no place of an adaptive limit', async () => {
    const breaker = { per: 'version', errorShare: 0.2, slow: null, windowMs: 60_000, minimum: 20 } as const;
    const limits = { min: 2, max: 2, initial: 2, queueSize: 0 };
    const gateway = await gatewayTo(await chat(echo), {
      breaker: { ...breaker, openMs: 60_000, recoverMs: 0 },
      adaptive: { limits, waitMs: 1, priority: 'normal' },
    });
    for (let i = 0; i < 25; i += 1) await open(portOf(gateway));
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/sluice_breaker_state\{[^}]*\} 0\n/);
    expect(body).toMatch(/sluice_adaptive_in_flight\{[^}]*\} 0\n/);
  });

  it('carries messages both ways, with the fields of both sides, and is one line of the log with its bytes', async () => {
    const log = accessFile(harness);
    const url = await chat(echo);
    const gateway = await gatewayTo(url, {}, { accessLog: log.config });
    const socket = await open(portOf(gateway));
    for (const text of ['hello', 'x'.repeat(100_000)]) {
      socket.send(text);
      expect(String((await once(socket, 'message'))[0])).toBe(text);
    }
    socket.close(1000);
    await once(socket, 'close');
    const [line] = await log.lines(1);
    expect(line).toMatchObject({ status: 101, upgrade: 'websocket', error: '', version: 'v1', attempts: 1 });
    expect(Number(line?.bytes)).toBeGreaterThan(100_000);
    expect(Number(line?.bytes_in)).toBeGreaterThan(100_000);
  });

  it('goes to the version of its user', async () => {
    const [v1, v2] = [await chat((socket) => socket.send('v1')), await chat((socket) => socket.send('v2'))];
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('chat', { v1: [v1], v2: [v2] })], { routes: [routeOf('chat', LIVE)] }),
    );
    await harness.channel.write(splitOf('chat', 1, 10_000));
    await eventually(() => gateway.splits()[0]?.served.v2 === 10_000);
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(gateway)}/live`);
    expect(String((await once(socket, 'message'))[0])).toBe('v2');
    socket.terminate();
  });

  it('counts as one success whose latency ends with the 101', async () => {
    const gateway = await gatewayTo(await chat(echo));
    const socket = await open(portOf(gateway));
    // Counted while the tunnel is still open.
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
    await eventually(() => harness.outcomes('v1', 'responses', 'status2xx') === 1);
    expect((await admin(gateway, '/metrics')).body).toMatch(/sluice_tunnels_open\{[^}]*service[^}]*\} 1/);
    socket.close();
    await once(socket, 'close');
    expect((await admin(gateway, '/metrics')).body).toMatch(
      /http_server_request_duration_seconds_count\{[^}]*status_code="101"\} 1/,
    );
    expect(harness.outcomes('v1', 'responses', 'status2xx')).toBe(1);
  });

  it('makes the sender wait for a reader that is slow', async () => {
    let server: WebSocket | undefined;
    const gateway = await gatewayTo(
      await chat((socket) => {
        server = socket;
      }),
    );
    const socket = await open(portOf(gateway));
    socket.pause();
    await eventually(() => server !== undefined);
    const piece = Buffer.alloc(1_048_576);
    for (let i = 0; i < 64; i += 1) server?.send(piece);
    // What does not fit between the two stays with the sender.
    await eventually(() => (server?.bufferedAmount ?? 0) > 16 * piece.length);
    let received = 0;
    socket.on('message', (data) => {
      received += (data as Buffer).length;
    });
    socket.resume();
    await eventually(() => received === 64 * piece.length, 20_000);
  });

  it('is ended when nothing comes for the idle time', async () => {
    const log = accessFile(harness);
    const gateway = await gatewayTo(
      await chat(echo),
      { timeout: { connectMs: 1_000, responseMs: 2_000, idleMs: 200, totalMs: 5_000 } },
      { accessLog: log.config },
    );
    const socket = await open(portOf(gateway));
    const [code] = await once(socket, 'close');
    expect(code).toBe(1006);
    expect((await log.lines(1))[0]).toMatchObject({ status: 101, ended_by: 'idle' });
  });

  it('ends with its client when the upstream breaks off, and says so', async () => {
    const log = accessFile(harness);
    const gateway = await gatewayTo(
      await chat((socket) => {
        socket.on('message', () => (socket as unknown as { _socket: Socket })._socket.resetAndDestroy());
      }),
      {},
      { accessLog: log.config },
    );
    const socket = await open(portOf(gateway));
    socket.send('die');
    await once(socket, 'close');
    expect((await log.lines(1))[0]).toMatchObject({ ended_by: 'reset', error: 'RESPONSE_BROKEN_OFF' });
  });

  it('tells the upstream when its client is gone', async () => {
    let closed = false;
    const gateway = await gatewayTo(
      await chat((socket) => {
        socket.on('close', () => {
          closed = true;
        });
      }),
    );
    const socket = await open(portOf(gateway));
    socket.terminate();
    await eventually(() => closed);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
  });

  it('passes on what the client sent before it knew', async () => {
    const gateway = await gatewayTo(await chat(echo));
    // A masked text frame "hi" with the key 0, right behind the handshake.
    const frame = '\x81\x82\x00\x00\x00\x00hi';
    const close = '\x88\x82\x00\x00\x00\x00\x03\xe8';
    const text = await raw(portOf(gateway), `${HANDSHAKE}\r\n${frame}${close}`);
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(text).toContain('\x81\x02hi');
  });

  it('passes that on in its order, however many pieces it comes in', async () => {
    let upstream: Duplex | null = null;
    let got = '';
    const url = await byHand((socket) => {
      upstream = socket;
      socket.on('data', (piece) => {
        got += piece;
      });
    });
    const port = portOf(await gatewayTo(url));
    void raw(port, `${HANDSHAKE}\r\n`, async (socket) => {
      harness.onClose(async () => socket.destroy());
      await eventually(() => upstream !== null);
      for (const piece of ['one,', 'two,', 'three']) {
        socket.write(piece);
        // Apart, so that they are read one by one.
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      upstream?.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
    });
    await eventually(() => got.length === 13);
    expect(got).toBe('one,two,three');
  });
});

describe('draining with a WebSocket', () => {
  it('waits for it, then says 1001', async () => {
    const gateway = await gatewayTo(await chat(echo), {}, { drainMs: 400 });
    const socket = await open(portOf(gateway));
    const closed = once(socket, 'close');
    const startedMs = performance.now();
    const drained = gateway.drain();
    socket.send('still here');
    expect(String((await once(socket, 'message'))[0])).toBe('still here');
    expect((await closed)[0]).toBe(1001);
    expect(performance.now() - startedMs).toBeGreaterThan(350);
    await drained;
  });

  it('is over as soon as the last one is', async () => {
    const gateway = await gatewayTo(await chat(echo), {}, { drainMs: 20_000 });
    const socket = await open(portOf(gateway));
    const startedMs = performance.now();
    const drained = gateway.drain();
    socket.close();
    await drained;
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

describe('an upgrade that does not come about', () => {
  it.each([
    ['a route that allows none', HANDSHAKE, { upgrade: null }, '501 Not Implemented', 'UPGRADE_REFUSED'],
    ['another protocol', HANDSHAKE.replace('websocket', 'h2c'), {}, '501 Not Implemented', 'UPGRADE_REFUSED'],
    [
      'two protocols',
      HANDSHAKE.replace('websocket', 'websocket, h2c'),
      {},
      '501 Not Implemented',
      'UPGRADE_REFUSED',
    ],
    ['a body', `${HANDSHAKE}Content-Length: 3\r\n`, {}, '501 Not Implemented', 'UPGRADE_REFUSED'],
    [
      'a chunked body',
      `${HANDSHAKE}Transfer-Encoding: chunked\r\n`,
      {},
      '501 Not Implemented',
      'UPGRADE_REFUSED',
    ],
    ['another method', HANDSHAKE.replace('GET', 'POST'), {}, '501 Not Implemented', 'UPGRADE_REFUSED'],
    ['no token', HANDSHAKE, { auth: { jwt: 'main', optional: false } }, '401 Unauthorized', 'TOKEN_MISSING'],
    ['a bad path', HANDSHAKE.replace('/live', '/a/../b'), {}, '400 Bad Request', 'BAD_PATH'],
  ])(
    'because of %s gets a problem document, a line in the log and reaches no upstream',
    async (_case, request, route, status, code) => {
      const log = accessFile(harness);
      const upstream = await harness.named('v1');
      let upgrades = 0;
      upstream.server.on('upgrade', (_request, socket) => {
        upgrades += 1;
        socket.destroy();
      });
      const jwt = {
        issuer: 'i',
        audience: 'a',
        algorithms: ['RS256'],
        jwks: { url: 'http://127.0.0.1:1/' },
        clockToleranceMs: 0,
      };
      const gateway = await gatewayTo(upstream.url, route, { accessLog: log.config, jwt: { main: jwt } });
      const text = await raw(portOf(gateway), `${request}\r\n`);
      expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status}\r\n`));
      expect(text).toContain(`"code":"${code}"`);
      expect(text).toContain('Connection: close');
      expect((await log.lines(1))[0]).toMatchObject({ error: code });
      expect((await admin(gateway, '/metrics')).body).toContain(`status_code="${status.slice(0, 3)}"`);
      expect([upgrades, upstream.seen.length]).toEqual([0, 0]);
    },
  );

  it('relays another answer than 101 as it is and closes', async () => {
    const url = await byHand((socket) =>
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nno'),
    );
    const text = await raw(portOf(await gatewayTo(url)), `${HANDSHAKE}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(text).toMatch(/X-Why: because\r\n[\s\S]*Connection: close\r\n[\s\S]*no$/);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status4xx') === 1);
  });

  it('gets 502 from an upstream that is not there, or that changes to another protocol', async () => {
    const away = await raw(portOf(await gatewayTo('http://127.0.0.1:1')), `${HANDSHAKE}\r\n`);
    expect(away).toContain('UPSTREAM_CONNECT');
    const url = await byHand((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    );
    const other = await raw(portOf(await gatewayTo(url)), `${HANDSHAKE}\r\n`);
    expect(other).toContain('UPSTREAM_BAD_RESPONSE');
    await eventually(() => harness.outcomes('v1', 'attempts', 'reset') === 1);
  });

  it('gets 504 from an upstream that does not answer, and nobody is left behind when the client leaves first', async () => {
    const sockets: Duplex[] = [];
    const url = await byHand((socket) => sockets.push(socket));
    const timeout = { connectMs: 1_000, responseMs: 300, idleMs: 300, totalMs: 300 };
    const gateway = await gatewayTo(url, { timeout });
    expect(await raw(portOf(gateway), `${HANDSHAKE}\r\n`)).toContain('UPSTREAM_TIMEOUT');
    const gone = raw(portOf(gateway), `${HANDSHAKE}\r\n`, (socket) => {
      void eventually(() => sockets.length === 2).then(() => socket.resetAndDestroy());
    });
    await gone;
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    await eventually(() => sockets.every((socket) => socket.destroyed || socket.readableEnded));
  });
});
