import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { FLAG, FRAME, fieldSection, frame, PREFACE, settings, uint32 } from '../support/fuzz/h2-frames.ts';
import { gatewayConfigOf, listenerOf, serviceOf } from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let log: ReturnType<typeof accessFile>;
let url: string;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
  const upstream = await harness.upstream((request, response) => {
    if (request.url === '/slow') return;
    request.resume().on('end', () => response.end('answer'));
  });
  url = upstream.url;
});

afterEach(() => harness.close());

function configOf(limits: Partial<ListenerLimits>): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [url] })], {
    listeners: [listenerOf({ http2: true, limits: { ...DEFAULT_LISTENER_LIMITS, ...limits } })],
    accessLog: log.config,
  });
}

const open = (limits: Partial<ListenerLimits>): Promise<Gateway> => harness.gateway(configOf(limits));

function sessionTo(gateway: Gateway): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${portOf(gateway)}`);
  session.on('error', () => {});
  harness.onClose(async () => session.destroy());
  return session;
}

/** Status of the answer, or how the stream was reset. */
async function statusOf(session: ClientHttp2Session, fields: Record<string, string>): Promise<unknown> {
  const stream = session.request({ ':path': '/', ...fields });
  stream.on('error', () => {});
  let status: unknown;
  stream.on('response', (headers) => {
    status = headers[':status'];
  });
  stream.resume();
  await new Promise((resolve) => stream.on('close', resolve));
  return status ?? `reset ${stream.rstCode}`;
}

const fields = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'a']));

/** Sends a body on and on, fast or slowly, and gives the status that it gets in the end. */
async function uploadStatus(gateway: Gateway, piece: string): Promise<unknown> {
  const stream = sessionTo(gateway).request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => {});
  const timer = setInterval(() => stream.writable && stream.write(piece), 100);
  harness.onClose(async () => clearInterval(timer));
  const [headers] = await once(stream, 'response');
  clearInterval(timer);
  return headers[':status'];
}

describe('limits of a listener over HTTP/2', () => {
  it('refuses what is beyond maxHeaders, maxHeaderBytes and maxUriLength, with a line in the access log', async () => {
    const session = sessionTo(await open({ maxHeaders: 10, maxHeaderBytes: 2_048, maxUriLength: 100 }));
    expect(await statusOf(session, fields(5))).toBe(200);
    expect(await statusOf(session, fields(15))).toBe(431);
    expect(await statusOf(session, { 'x-long': 'x'.repeat(2_100) })).toBe(431);
    expect(await statusOf(session, { ':path': `/${'x'.repeat(100)}` })).toBe(414);
    const lines = await log.lines(4);
    expect(lines.map(({ error }) => error)).toEqual([
      '',
      'HEADERS_TOO_LARGE',
      'HEADERS_TOO_LARGE',
      'URI_TOO_LONG',
    ]);
    // Far beyond, only the stream ends.
    const calm = `reset ${constants.NGHTTP2_ENHANCE_YOUR_CALM}`;
    expect(await statusOf(session, fields(40))).toBe(calm);
    expect(await statusOf(session, {})).toBe(200);
  });

  it('bounds the head of a client that has not acknowledged its settings', async () => {
    const socket = connectTcp(portOf(await open({ maxHeaderBytes: 4_096 })), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    let text = '';
    socket.setEncoding('latin1').on('data', (piece) => {
      text += piece;
    });
    const head = fieldSection([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'shop.test'],
      [':path', '/'],
      ['x-long', 'x'.repeat(12_000)],
    ]);
    const request = frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, head);
    socket.write(Buffer.concat([PREFACE, settings(), request]));
    await eventually(() => text.includes('HEADERS_TOO_LARGE'));
  });

  it('refuses more requests at once than it says', async () => {
    const socket = connectTcp(portOf(await open({})), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    let got = Buffer.alloc(0);
    socket.on('data', (piece) => {
      got = Buffer.concat([got, piece]);
    });
    const head = fieldSection([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'shop.test'],
      [':path', '/slow'],
    ]);
    const ids = Array.from({ length: 129 }, (_, i) => 2 * i + 1);
    const requests = ids.map((id) => frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, id, head));
    // One that has not acknowledged the settings may not have read them: only the request is refused.
    socket.write(Buffer.concat([PREFACE, settings(), ...requests]));
    const refused = frame(FRAME.rstStream, 0, 257, uint32(constants.NGHTTP2_REFUSED_STREAM));
    await eventually(() => got.includes(refused));
  });

  it('ends a request after requestTimeout, however fast it comes, and one that comes too slowly', async () => {
    const soon = { headersTimeoutMs: 300, requestTimeoutMs: 600 };
    expect(await uploadStatus(await open(soon), 'x'.repeat(1_000))).toBe(408);
    expect(await uploadStatus(await open({ ...soon, minBytesPerSecond: 0 }), 'x')).toBe(408);
    expect(await uploadStatus(await open({ minBytesPerSecond: 1_000, graceMs: 500 }), 'x')).toBe(408);
  });

  it('closes an idle connection after keepAlive', async () => {
    const session = sessionTo(await open({ keepAliveMs: 100 }));
    expect(await statusOf(session, {})).toBe(200);
    await eventually(() => session.destroyed);
  });

  it('changes by a reload', async () => {
    const gateway = await open({ maxHeaders: 10 });
    const early = sessionTo(gateway);
    expect(await statusOf(early, fields(15))).toBe(431);
    expect(await gateway.reload(configOf({ maxHeaders: 60, keepAliveMs: 300 }))).toEqual({ ok: true });
    expect(await statusOf(early, fields(15))).toBe(200);
    const late = sessionTo(gateway);
    expect(await statusOf(late, fields(40))).toBe(200);
    await eventually(() => early.destroyed && late.destroyed);
  });
});
