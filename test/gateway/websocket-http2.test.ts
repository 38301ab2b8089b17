import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { chatServer, echo } from '../support/chat-server.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, splitOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

function gatewayTo(url: string, route: Partial<Route> = {}, config: Partial<GatewayConfig> = {}) {
  return harness.gateway(
    gatewayConfigOf([serviceOf('chat', { v1: [url] })], {
      listeners: [listenerOf({ http2: true })],
      routes: [routeOf('chat', { upgrade: new Set(['websocket']), ...route })],
      ...config,
    }),
  );
}

/** A session whose server has said what it can do. */
async function sessionTo(gateway: Gateway): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${portOf(gateway)}`);
  session.on('error', () => {});
  harness.onClose(async () => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

const CONNECT = { ':method': 'CONNECT', ':path': '/live', 'sec-websocket-version': '13' };

function ask(session: ClientHttp2Session, fields: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({ ...CONNECT, ':protocol': 'websocket', ...fields }, { endStream: false });
  stream.on('error', () => {});
  return stream;
}

/** A frame of a client: text or close, with a mask of zeros. */
function frame(text: string | Buffer, opcode = 1): Buffer {
  const payload = Buffer.from(text);
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), payload]);
}

const CLOSE = frame(Buffer.from([0x03, 0xe8]), 8);

/** Everything that comes; `text` grows. */
function received(stream: Duplex): { text: string } {
  const all = { text: '' };
  stream.on('data', (piece: Buffer) => {
    all.text += piece.toString('latin1');
  });
  return all;
}

async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  const [headers] = await once(stream, 'response');
  return headers[':status'];
}

/** The status and the code of a problem document. */
async function refusal(stream: ClientHttp2Stream): Promise<[number, string]> {
  const body = received(stream);
  const status = await statusOf(stream);
  await eventually(() => body.text.endsWith('}'));
  return [status, JSON.parse(body.text).code];
}

describe('a WebSocket over HTTP/2', () => {
  it('is offered by the settings of the connection', async () => {
    const session = await sessionTo(await gatewayTo(await chatServer(harness, echo)));
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
  });

  it('carries messages both ways to an upstream of HTTP/1.1, and is one line of the log with its bytes', async () => {
    const log = accessFile(harness);
    const seen: Record<string, unknown>[] = [];
    const url = await chatServer(harness, echo);
    const gateway = await gatewayTo(url, {}, { accessLog: log.config });
    const stream = ask(await sessionTo(gateway), { 'x-user-id': 'ann' });
    stream.on('response', (headers) => seen.push(headers));
    expect(await statusOf(stream)).toBe(200);
    expect(seen[0]).not.toHaveProperty('sec-websocket-accept');
    const answers = received(stream);
    stream.write(frame('hello'));
    await eventually(() => answers.text === '\x81\x05hello');
    stream.write(frame('x'.repeat(30_000)));
    await eventually(() => answers.text.length > 30_000);
    stream.end(CLOSE);
    await once(stream, 'close');
    expect(stream.rstCode).toBe(0);
    const [line] = await log.lines(1);
    expect(line).toMatchObject({
      method: 'GET',
      status: 101,
      upgrade: 'websocket',
      error: '',
      version: 'v1',
    });
    expect(Number(line?.bytes)).toBeGreaterThan(30_000);
    expect(Number(line?.bytes_in)).toBeGreaterThan(30_000);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
    expect((await admin(gateway, '/metrics')).body).toMatch(/sluice_tunnels_open\{[^}]*\} 0/);
  });

  it('lives beside requests and other tunnels of its connection', async () => {
    const gateway = await gatewayTo(await chatServer(harness, echo));
    const session = await sessionTo(gateway);
    const streams = [ask(session), ask(session)];
    const all = streams.map(received);
    expect(await Promise.all(streams.map(statusOf))).toEqual([200, 200]);
    for (const [index, stream] of streams.entries()) {
      stream.write(frame(`t${index}`));
      await eventually(() => all[index]?.text === `\x81\x02t${index}`);
    }
    // The chat server answers other requests by asking for an upgrade.
    const other = session.request({ ':path': '/' });
    expect(await statusOf(other)).toBe(426);
    expect((await admin(gateway, '/metrics')).body).toMatch(/sluice_tunnels_open\{[^}]*\} 2/);
    for (const stream of streams) stream.close();
    const none = async () => /sluice_tunnels_open\{[^}]*\} 0/.test((await admin(gateway, '/metrics')).body);
    const deadline = performance.now() + 20_000;
    while (!(await none())) expect(performance.now()).toBeLessThan(deadline);
  });

  it('goes to the version of its user', async () => {
    const say = (word: string) => chatServer(harness, (socket) => socket.send(word));
    const services = [serviceOf('chat', { v1: [await say('v1')], v2: [await say('v2')] })];
    const gateway = await harness.gateway(
      gatewayConfigOf(services, {
        listeners: [listenerOf({ http2: true })],
        routes: [routeOf('chat', { upgrade: new Set(['websocket']) })],
      }),
    );
    await harness.channel.write(splitOf('chat', 1, 10_000));
    await eventually(() => gateway.splits()[0]?.served.v2 === 10_000);
    const answers = received(ask(await sessionTo(gateway)));
    await eventually(() => answers.text === '\x81\x02v2');
  });

  it('counts against the cap of its route until its end', async () => {
    const concurrency = { max: 1, perKey: null };
    const gateway = await gatewayTo(await chatServer(harness, echo), { concurrency });
    const session = await sessionTo(gateway);
    const first = ask(session);
    expect(await statusOf(first)).toBe(200);
    expect(await refusal(ask(session))).toEqual([503, 'TOO_MANY_AT_ONCE']);
    first.close();
    const again = async (): Promise<number> => {
      const next = ask(session);
      const status = await statusOf(next);
      next.close();
      return status;
    };
    const deadline = performance.now() + 20_000;
    while ((await again()) !== 200) expect(performance.now()).toBeLessThan(deadline);
  });

  it('tells the upstream when its client is gone, with the stream or the connection', async () => {
    let closed = 0;
    const url = await chatServer(harness, (socket) => {
      socket.on('close', () => {
        closed += 1;
      });
    });
    const session = await sessionTo(await gatewayTo(url));
    const [one, two] = [ask(session), ask(session)];
    await Promise.all([statusOf(one), statusOf(two)]);
    one.close();
    await eventually(() => closed === 1);
    session.destroy();
    await eventually(() => closed === 2);
  });

  it('is reset when the upstream breaks off, and says so', async () => {
    const log = accessFile(harness);
    const url = await chatServer(harness, (socket) => {
      socket.on('message', () => rawSocketOf(socket).resetAndDestroy());
    });
    const stream = ask(await sessionTo(await gatewayTo(url, {}, { accessLog: log.config })));
    await statusOf(stream);
    stream.write(frame('die'));
    await new Promise((resolve) => stream.on('close', resolve));
    expect(stream.rstCode).toBe(8);
    expect((await log.lines(1))[0]).toMatchObject({ ended_by: 'reset', error: 'RESPONSE_BROKEN_OFF' });
  });

  it('gets the close code 1001 when the gateway has drained', async () => {
    const gateway = await gatewayTo(await chatServer(harness, echo), {}, { drainMs: 300 });
    const stream = ask(await sessionTo(gateway));
    const answers = received(stream);
    await statusOf(stream);
    stream.write(frame('still here'));
    await eventually(() => answers.text === '\x81\x0astill here');
    const drained = gateway.drain();
    await eventually(() => answers.text.endsWith('\x88\x02\x03\xe9'));
    stream.end(frame(Buffer.from([0x03, 0xe9]), 8));
    await drained;
  });
});

function rawSocketOf(socket: WebSocket): { resetAndDestroy(): void } {
  return (socket as unknown as { _socket: { resetAndDestroy(): void } })._socket;
}

describe('a WebSocket over HTTP/2 that does not come about', () => {
  it.each([
    ['a route that allows none', {}, { upgrade: null }, 501, 'UPGRADE_REFUSED'],
    ['another protocol', { ':protocol': 'connect-udp' }, {}, 501, 'UPGRADE_REFUSED'],
    ['no token', {}, { auth: { jwt: 'main', optional: false } }, 401, 'TOKEN_MISSING'],
    ['a bad path', { ':path': '/a/../b' }, {}, 400, 'BAD_PATH'],
  ] as const)('because of %s gets a problem document', async (_case, fields, route, status, code) => {
    const upstream = await harness.named('v1');
    const jwt = {
      issuer: 'i',
      audience: 'a',
      algorithms: ['RS256'],
      jwks: { url: 'http://127.0.0.1:1/' },
      clockToleranceMs: 0,
    };
    const gateway = await gatewayTo(upstream.url, route, { jwt: { main: jwt } });
    expect(await refusal(ask(await sessionTo(gateway), fields))).toEqual([status, code]);
    expect(upstream.seen).toHaveLength(0);
  });

  it('because it names no protocol is refused as any CONNECT', async () => {
    const upstream = await harness.named('v1');
    const session = await sessionTo(await gatewayTo(upstream.url));
    const stream = session.request({ ':method': 'CONNECT', ':authority': 'a.test:443' });
    expect(await refusal(stream)).toEqual([501, 'METHOD_NOT_IMPLEMENTED']);
  });

  it.each([
    [
      'does not know the key',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: bm8=\r\n\r\n',
    ],
    ['says 200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ])('because the upstream %s is 502, never a success', async (_case, answer) => {
    const upstream = await harness.named('v1');
    upstream.server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.end(answer);
    });
    const session = await sessionTo(await gatewayTo(upstream.url));
    expect(await refusal(ask(session))).toEqual([502, 'UPSTREAM_BAD_RESPONSE']);
  });

  it('because the upstream refuses passes that on', async () => {
    const upstream = await harness.named('v1');
    upstream.server.on('upgrade', (_request, socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    });
    const stream = ask(await sessionTo(await gatewayTo(upstream.url)));
    const body = received(stream);
    expect(await statusOf(stream)).toBe(403);
    await once(stream, 'close');
    expect(body.text).toBe('no');
  });
});
