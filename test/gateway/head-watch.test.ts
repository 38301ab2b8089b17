import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LISTENER_LIMITS, type ListenerConfig } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { FLAG, FRAME, fieldSection, frame, PREFACE, settings } from '../support/fuzz/h2-frames.ts';
import { gatewayConfigOf, listenerOf, serviceOf } from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

async function gatewayOf(listener: Partial<ListenerConfig>): Promise<Gateway> {
  const upstream = await harness.named('v1');
  const service = serviceOf('orders', { v1: [upstream.url] });
  return harness.gateway(gatewayConfigOf([service], { listeners: [listenerOf(listener)] }));
}

/** Milliseconds until the other side ends the connection, from when `begin` is called. */
function lifeOf(socket: Socket): { begin: () => void; over: Promise<number> } {
  let begunMs = performance.now();
  socket.on('error', () => {});
  socket.resume();
  harness.onClose(async () => socket.destroy());
  const over = new Promise<number>((resolve) => {
    socket.on('end', () => socket.destroy());
    socket.on('close', () => resolve(performance.now() - begunMs));
  });
  const begin = (): void => {
    begunMs = performance.now();
  };
  return { begin, over };
}

const every = (ms: number, socket: Socket, piece: () => string | Buffer): void => {
  const timer = setInterval(() => socket.writable && socket.write(piece()), ms);
  socket.on('close', () => clearInterval(timer));
};

const HEAD = fieldSection([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'shop.test'],
  [':path', '/'],
]);
const OPENING = Buffer.concat([PREFACE, settings()]);

describe('a head that does not come, by the default limits', () => {
  it('ends its connection within 12 s, whatever came before it and comes instead', {
    timeout: 40_000,
  }, async () => {
    const plain = await gatewayOf({});
    const both = await gatewayOf({ http2: true });
    const lives: Promise<number>[] = [];

    // The protocol is not known from the first byte.
    const hesitant = connect(portOf(both), '127.0.0.1');
    lives.push(lifeOf(hesitant).over);
    hesitant.write('P');
    setTimeout(() => {
      hesitant.write('OST / HTTP/1.1\r\nHost: a\r\nX: ');
      every(200, hesitant, () => 'x');
    }, 8_000);

    // Empty lines are no message to Node.
    const empty = connect(portOf(plain), '127.0.0.1');
    const emptyLife = lifeOf(empty);
    lives.push(emptyLife.over);
    empty.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    setTimeout(() => {
      emptyLife.begin();
      every(3_000, empty, () => '\r\n');
      empty.write('\r\n');
    }, 3_000);

    // Half of a second head over HTTP/2, and nothing more.
    const half = connect(portOf(both), '127.0.0.1');
    const halfLife = lifeOf(half);
    lives.push(halfLife.over);
    half.write(Buffer.concat([OPENING, frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, HEAD)]));
    setTimeout(() => {
      halfLife.begin();
      half.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, HEAD).subarray(0, 12));
    }, 3_000);

    for (const life of await Promise.all(lives)) expect(life).toBeLessThan(12_000);
  });

  it('over TLS and HTTP/2 has half of the time: the rest was for the handshake', {
    timeout: 40_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const pair = createAuthority().issue(['shop.test']);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.cert, pair.cert);
    await writeFile(files.key, pair.key);
    const tls = { certificates: [files], minVersion: 'TLSv1.2' as const, clientCertificates: null };
    const gateway = await gatewayOf({ http2: true, tls });
    const options = { port: portOf(gateway), host: '127.0.0.1', rejectUnauthorized: false };
    const socket = connectTls({ ...options, ALPNProtocols: ['h2'] });
    const { over } = lifeOf(socket);
    socket.write(OPENING);
    const head = frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.alloc(200));
    let at = 0;
    every(200, socket, () => head.subarray(at, ++at));
    expect(await over).toBeLessThan(9_000);
  });
});

describe('a body that goes on after its answer', () => {
  it('is no head that does not come', async () => {
    const upstream = await harness.upstream((_request, response) => response.end('early'));
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
        listeners: [listenerOf({ limits: { ...DEFAULT_LISTENER_LIMITS, headersTimeoutMs: 1_500 } })],
      }),
    );
    const socket = connect(portOf(gateway), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    let text = '';
    let closed = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      closed = true;
    });
    socket.setEncoding('latin1').on('data', (piece) => {
      text += piece;
    });
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 25 && !closed; i += 1) {
      socket.write(`3e8\r\n${'x'.repeat(1_000)}\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(text.split('early').length).toBe(2);
    socket.write('0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => text.split('early').length === 3);
  });
});
