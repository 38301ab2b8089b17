import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_INTERIM_RESPONSES } from '../../src/gateway/limits.ts';
import { rude, startImpatient } from '../support/failing-upstream.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

const HEAD = 'Host: shop.test\r\nConnection: close\r\n';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

/** A gateway to an upstream that keeps what it gets, and its port. */
async function kept(trustedProxies: string[] = []) {
  const upstream = await harness.upstream((request, response) => {
    request.resume().on('end', () => response.end('answer'));
  });
  const config = gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], { trustedProxies });
  return { port: portOf(await harness.gateway(config)), seen: upstream.seen };
}

/** An upstream that is told of every connection and the first bytes on it. */
async function byConnection(behave: (socket: Socket, index: number) => void) {
  const sockets: Socket[] = [];
  const first: string[] = [];
  const url = await rude(harness, (socket) => {
    const index = sockets.push(socket) - 1;
    socket.once('data', (piece) => {
      first[index] = piece.toString('latin1');
      behave(socket, index);
    });
  });
  return { gateway: await startImpatient(harness, [url]), sockets, first };
}

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';

describe('a request', () => {
  it('never fails for fields that a client library would refuse to send', async () => {
    const { port, seen } = await kept();
    const fields =
      'Keep-Alive: timeout=5\r\nUpgrade: x\r\nExpect: 100-continue\r\nTE: trailers\r\nProxy-Connection: close\r\n' +
      'Trailer: x\r\nX-Bytes: \x80\xff\ta\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n';
    const text = await raw(port, `POST / HTTP/1.1\r\n${HEAD}${fields}\r\n1\r\na\r\n0\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    expect(seen[0]?.headers).toMatchObject({ 'x-bytes': '\x80\xff\ta', 'x-empty': '' });
    for (const name of ['keep-alive', 'upgrade', 'expect', 'te', 'trailer', 'proxy-connection'])
      expect(seen[0]?.headers).not.toHaveProperty(name);
  });

  it.each([
    'host',
    'Authorization',
    'cookie',
    'content-length',
    'content-type',
    'transfer-encoding',
    'x-forwarded-proto',
    'forwarded',
    'x-real-ip',
    'client-cert',
    'x-consumer-id',
    'x-request-id',
    'traceparent',
    'via',
  ])('cannot have %s taken away by Connection', async (name) => {
    const { port, seen } = await kept();
    const text = await raw(port, `GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close, ${name}\r\n\r\n`);
    expect(text).toContain('BAD_CONNECTION_FIELD');
    expect(seen).toHaveLength(0);
  });

  it('cannot name a consumer, not even through a trusted proxy, nor under a twin of a name', async () => {
    const { port, seen } = await kept(['127.0.0.1']);
    const forged =
      'X-Consumer-Id: root\r\nX_Consumer-Id: root\r\nContent_Length: 9\r\nX_Request_Id: x\r\nProxy_Authorization: x\r\n';
    await raw(port, `GET / HTTP/1.1\r\n${HEAD}${forged}\r\n`);
    expect(Object.keys(seen[0]?.headers ?? {}).filter((name) => /consumer|_/.test(name))).toEqual([]);
  });

  it('may name everything as objects name their own parts, and harms nobody', async () => {
    const { port, seen } = await kept();
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
    const fields = names.map((name) => `${name}: x\r\n`).join('');
    const cookies = `Cookie: ${names.map((name) => `${name}=x`).join('; ')}\r\n`;
    for (const path of ['/', ...names.map((name) => `/${name}?${name}=${name}`)])
      expect(await raw(port, `GET ${path} HTTP/1.1\r\n${HEAD}${fields}${cookies}\r\n`)).toContain('answer');
    expect(seen).toHaveLength(names.length + 1);
    expect(seen[0]?.rawHeaders).toEqual(expect.arrayContaining(names));
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });
});

describe('an upstream', () => {
  it.each([
    [MAX_INTERIM_RESPONSES, 200],
    [MAX_INTERIM_RESPONSES + 1, 502],
  ])('that sends %s interim responses first gives %s', async (count, status) => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n'.repeat(count);
    const url = await rude(harness, (socket) => void socket.once('data', () => socket.write(interim + GOOD)));
    const text = await raw(portOf(await startImpatient(harness, [url])), `GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(text).toContain(`HTTP/1.1 ${status} `);
    expect(text.match(/HTTP\/1\.1 103/g)).toHaveLength(MAX_INTERIM_RESPONSES);
  });

  it.each([
    ['two framings', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a line break in a value', 'X-A: a\rX-B: b\r\nContent-Length: 0\r\n\r\n'],
    ['NUL in a value', 'X-A: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['white space before the colon', 'X-A : a\r\nContent-Length: 0\r\n\r\n'],
  ])('that answers with %s loses its connection with the 502', async (_, rest) => {
    const { gateway, sockets } = await byConnection((socket, index) =>
      socket.write(index === 0 ? `HTTP/1.1 200 OK\r\n${rest}` : GOOD),
    );
    expect((await call(gateway, '/')).status).toBe(502);
    await eventually(() => sockets[0]?.destroyed === true || sockets[0]?.readableEnded === true);
    expect((await call(gateway, '/')).body).toBe('good');
    expect(sockets).toHaveLength(2);
  });

  it('that answers before it has the whole request gets no other one on that connection', async () => {
    const { gateway, first } = await byConnection((socket) => socket.write(GOOD));
    const started = `POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`;
    const text = raw(portOf(gateway), started, (socket) => {
      socket.on('data', (piece: string) => piece.includes('good') && socket.destroy());
    });
    expect(await text).toContain('good');
    expect((await call(gateway, '/next')).body).toBe('good');
    expect(first.map((bytes) => bytes.split(' HTTP')[0])).toEqual(['POST /', 'GET /next']);
  });
});
