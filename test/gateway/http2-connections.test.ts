import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectH2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LISTENER_LIMITS, type ListenerConfig } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { FLAG, FRAME, fieldSection, frame, PREFACE, settings, uint32 } from '../support/fuzz/h2-frames.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Upstream,
} from '../support/gateway-harness.ts';

const HOUR_MS = 3_600_000;

let harness: GatewayHarness;
let upstream: Upstream;
/** Requests that the upstream has and does not answer. */
let left: number;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  left = 0;
  upstream = await harness.upstream((request, response) => {
    if (request.url === '/good') response.end('good');
    else request.on('error', () => {}).on('close', () => (left += 1));
  });
});

afterEach(() => harness.close());

function gatewayOf(listener: Partial<ListenerConfig> = {}): Promise<Gateway> {
  // Nothing but what is tested ends anything in the time of a test.
  const limits = {
    ...DEFAULT_LISTENER_LIMITS,
    headersTimeoutMs: HOUR_MS,
    requestTimeoutMs: HOUR_MS,
    ...listener.limits,
  };
  const timeout = { connectMs: HOUR_MS, responseMs: HOUR_MS, idleMs: HOUR_MS, totalMs: HOUR_MS };
  return harness.gateway(
    gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
      listeners: [listenerOf({ http2: true, ...listener, limits })],
      routes: [routeOf('orders', { timeout })],
    }),
  );
}

const OPENING = Buffer.concat([PREFACE, settings()]);
const requestOf = (stream: number, method = 'GET', flags: number = FLAG.endStream) =>
  frame(
    FRAME.headers,
    FLAG.endHeaders | flags,
    stream,
    fieldSection([
      [':method', method],
      [':scheme', 'http'],
      [':authority', 'shop.test'],
      [':path', '/slow'],
    ]),
  );

/** Everything that comes, until the gateway closes the connection. */
function closed(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (piece) => pieces.push(piece));
  socket.on('end', () => socket.destroy());
  return new Promise((resolve) => socket.on('close', () => resolve(Buffer.concat(pieces))));
}

function plain(gateway: Gateway): Socket {
  return connect({ port: portOf(gateway), host: '127.0.0.1', allowHalfOpen: true });
}

async function openConnections(gateway: Gateway): Promise<string | undefined> {
  const { body } = await admin(gateway, '/metrics');
  return /sluice_listener_connections\{[^}]*\} (\d+)/.exec(body)?.[1];
}

describe('an HTTP/2 connection that its client ends', () => {
  it('takes its requests with it: their upstreams are told at once', async () => {
    const gateway = await gatewayOf();
    const socket = plain(gateway);
    socket.write(Buffer.concat([OPENING, requestOf(1), requestOf(3)]));
    await eventually(() => upstream.seen.length === 2);
    const over = closed(socket);
    socket.end();
    await over;
    await eventually(() => left === 2);
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 2);
    expect(await openConnections(gateway)).toBe('0');
  });

  it('may have had more requests than one may call off at once', async () => {
    const gateway = await gatewayOf();
    const socket = plain(gateway);
    const requests = Array.from({ length: 120 }, (_, index) => requestOf(2 * index + 1));
    socket.write(Buffer.concat([OPENING, ...requests]));
    await eventually(() => upstream.seen.length === 120);
    socket.destroy();
    await eventually(() => left === 120);
    expect((await call(gateway, '/good')).body).toBe('good');
  });

  it('cannot have more requests sent on by calling them off in the bytes that ask for them', async () => {
    const gateway = await gatewayOf();
    const socket = plain(gateway);
    const over = closed(socket);
    const asked = Array.from({ length: 1_000 }, (_, index) => [
      requestOf(2 * index + 1),
      frame(FRAME.rstStream, 0, 2 * index + 1, uint32(constants.NGHTTP2_CANCEL)),
    ]);
    socket.write(Buffer.concat([OPENING, ...asked.flat()]));
    await over;
    expect((await call(gateway, '/good')).body).toBe('good');
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
    // All that it may have under way, and all that it may call off.
    expect(harness.outcomes('v1', 'attempts', 'clientAborted')).toBeGreaterThan(0);
    expect(harness.outcomes('v1', 'attempts', 'clientAborted')).toBeLessThanOrEqual(228);
  });

  it('may have as many requests under way as it is told, one lot after the other', async () => {
    const gateway = await gatewayOf();
    const session = connectH2(`http://127.0.0.1:${portOf(gateway)}`);
    harness.onClose(async () => session.destroy());
    for (let lot = 0; lot < 8; lot += 1) {
      const streams = Array.from({ length: 128 }, () => session.request({ ':path': '/good' }).resume());
      await Promise.all(streams.map((stream) => once(stream, 'end')));
    }
    expect(session.destroyed).toBe(false);
  });

  it('over TLS, too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const pair = createAuthority().issue(['shop.test']);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.cert, pair.cert);
    await writeFile(files.key, pair.key);
    const tls = { certificates: [files], minVersion: 'TLSv1.2' as const, clientCertificates: null };
    const gateway = await gatewayOf({ tls });
    const socket = connectTls({
      port: portOf(gateway),
      host: '127.0.0.1',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    });
    await once(socket, 'secureConnect');
    socket.write(Buffer.concat([OPENING, requestOf(1)]));
    await eventually(() => upstream.seen.length === 1);
    socket.end();
    await closed(socket);
    await eventually(() => left === 1);
  });

  it('before it has said what it speaks is closed', async () => {
    const socket = plain(await gatewayOf());
    const over = closed(socket);
    socket.end('PR');
    expect((await over).length).toBe(0);
  });
});

describe('an HTTP/2 connection with an error', () => {
  it('is closed with its requests, though Node only says GOAWAY', async () => {
    const gateway = await gatewayOf({ limits: { ...DEFAULT_LISTENER_LIMITS, keepAliveMs: 200 } });
    const socket = plain(gateway);
    const over = closed(socket);
    // A connection error (RFC 9113 §6.10) behind a request that is under way.
    socket.write(Buffer.concat([OPENING, requestOf(1), frame(FRAME.continuation, FLAG.endHeaders, 3)]));
    expect((await over).includes('CONTINUATION')).toBe(true);
    await eventually(() => left === 1);
    expect(await openConnections(gateway)).toBe('0');
  });

  it('behind a GOAWAY and a request in one packet does not end the process', async () => {
    const gateway = await gatewayOf();
    const socket = plain(gateway);
    const over = closed(socket);
    socket.write(
      Buffer.concat([
        OPENING,
        frame(FRAME.goaway, 0, 0, Buffer.alloc(8)),
        requestOf(1, 'POST', 0),
        frame(FRAME.rstStream, 0, 1, uint32(8)),
        requestOf(3, 'CONNECT', 0),
        // Of a length that a GOAWAY cannot have.
        frame(FRAME.goaway, 0, 0, Buffer.alloc(4)),
      ]),
    );
    await over;
    expect((await call(gateway, '/good')).body).toBe('good');
  });
});

describe('an HTTP/2 connection on which nothing passes', () => {
  it('that vanishes before its answers is a client that left, and no success of a version', async () => {
    const gateway = await gatewayOf();
    const session = connectH2(`http://127.0.0.1:${portOf(gateway)}`);
    session.on('error', () => {});
    await once(session, 'connect');
    const requests = Array.from({ length: 50 }, () => session.request({ ':path': '/slow' }));
    for (const request of requests) request.on('error', () => {});
    await eventually(() => upstream.seen.length === 50);
    session.destroy();
    await eventually(() => left === 50);
    await eventually(() => harness.outcomes('v1', 'responses', 'clientAborted') === 50);
    expect(harness.outcomes('v1', 'responses', 'status2xx')).toBe(0);
  });

  it('stays for as long as its client answers pings', async () => {
    const gateway = await gatewayOf({ limits: { ...DEFAULT_LISTENER_LIMITS, keepAliveMs: 200 } });
    const socket = plain(gateway);
    let pings = 0;
    socket.on('data', (piece: Buffer) => {
      const at = piece.indexOf(Buffer.from([0, 0, 8, FRAME.ping, 0]));
      if (at < 0) return;
      pings += 1;
      socket.write(frame(FRAME.ping, FLAG.ack, 0, piece.subarray(at + 9, at + 17)));
    });
    const over = closed(socket);
    socket.write(Buffer.concat([OPENING, requestOf(1)]));
    // So many take more than twice the time in which silence ends it.
    await eventually(() => pings >= 10);
    expect(left).toBe(0);
    socket.removeAllListeners('data');
    socket.resume();
    await over;
    await eventually(() => left === 1);
  });
});
