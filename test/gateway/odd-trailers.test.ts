import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { MAX_REQUEST_TRAILERS } from '../../src/gateway/limits.ts';
import { endpointOf, gatewayConfigOf, listenerOf, PLAIN_TLS, serviceOf } from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile } from '../support/gateway-observed.ts';
import { h2Upstream } from '../support/h2-upstream.ts';

let harness: GatewayHarness;
let log: AccessFile;
/** Trailers of every request that reached the upstream whole. */
let got: string[][];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
  got = [];
});
afterEach(() => harness.close());

async function open(): Promise<Gateway> {
  const { url } = await harness.upstream((request, response) => {
    request.resume();
    request.on('error', () => {});
    request.on('end', () => {
      got.push(request.rawTrailers);
      response.end('ok');
    });
  });
  const service = serviceOf('orders', { v1: [url] }, { requestTrailers: ['x-sum'] });
  return harness.gateway(
    gatewayConfigOf([service], { accessLog: log.config, listeners: [listenerOf({ http2: true })] }),
  );
}

const put = (trailers: string): string =>
  'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n' +
  `2\r\nhi\r\n0\r\n${trailers}\r\n`;

describe('a trailer that two readers could take for two things', () => {
  it.each([
    ['a length', 'Content-Length: 5\r\nX-Sum: 1\r\n'],
    ['a transfer coding', 'Transfer-Encoding: chunked\r\nX-Sum: 1\r\n'],
    ['a folded line', 'X-Sum: 1\r\n  more\r\n'],
    ['a pseudo field', ':path: /x\r\nX-Sum: 1\r\n'],
    ['a blank after its name', 'X-Sum : 1\r\n'],
    ['no name', ': 1\r\n'],
    ['a bare line feed', 'X-Sum: 1\nX-Evil: 2\r\n'],
    ['a bare carriage return', 'X-Sum: a\rb\r\n'],
    ['a NUL', 'X-Sum: a\0b\r\n'],
    ['a control character', 'X-Sum: a\x7fb\r\n'],
    ['more bytes than a head may have', `X-Sum: ${'a'.repeat(100_000)}\r\n`],
    ['more fields than a head may have', 'X-Sum: 1\r\n'.repeat(5_000)],
  ])('ends the connection: %s', async (_what, trailers) => {
    const gateway = await open();
    expect(await raw(portOf(gateway), put(trailers))).not.toMatch(/^HTTP\/1.1 2/);
    await log.lines(1);
    // The next one is not taken for its rest, at either side.
    expect(await raw(portOf(gateway), put('X-Sum: 1\r\n'))).toMatch(/^HTTP\/1.1 200 /);
    expect(got).toEqual([['X-Sum', '1']]);
  });
});

describe('trailers that are odd but sound', () => {
  it.each([
    ['an empty value', 'X-Sum:\r\n', ['X-Sum', ''], 'passed:1'],
    ['bytes beyond ASCII', 'X-Sum: \xff\r\n', ['X-Sum', '\xff'], 'passed:1'],
    ['the same twice', 'X-Sum: 1\r\nX-SUM: 2\r\n', ['X-Sum', '1', 'X-SUM', '2'], 'passed:2'],
    [
      'names that objects have',
      '__proto__: 1\r\nconstructor: 2\r\nX-Sum: 1\r\n',
      ['X-Sum', '1'],
      'passed:1 not_listed:2',
    ],
    [
      'fields of the connection',
      'Upgrade: websocket\r\nConnection: upgrade\r\nHTTP2-Settings: a\r\n',
      [],
      'forbidden:3',
    ],
    [
      'fields that say who it is',
      'Host: b\r\nAuthorization: c\r\nX-Forwarded-For: d\r\nCookie: e\r\n',
      [],
      'forbidden:4',
    ],
    [
      'as many as are passed on',
      'X-Sum: 1\r\n'.repeat(MAX_REQUEST_TRAILERS),
      Array(MAX_REQUEST_TRAILERS).fill(['X-Sum', '1']).flat(),
      `passed:${MAX_REQUEST_TRAILERS}`,
    ],
    ['one more', 'X-Sum: 1\r\n'.repeat(MAX_REQUEST_TRAILERS + 1), [], `too_many:${MAX_REQUEST_TRAILERS + 1}`],
  ])('reach the upstream as far as they may: %s', async (_what, trailers, expected, told) => {
    const gateway = await open();
    expect(await raw(portOf(gateway), put(trailers))).toMatch(/^HTTP\/1.1 200 /);
    expect(got).toEqual([expected]);
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, request_trailers: told });
  });
});

describe('odd trailers of a client of HTTP/2', () => {
  async function send(gateway: Gateway, trailers: Record<string, string>): Promise<number> {
    const session = connectHttp2(`http://127.0.0.1:${portOf(gateway)}`);
    session.on('error', () => {});
    harness.onClose(async () => session.destroy());
    const stream = session.request(
      { ':method': 'PUT', ':path': '/', trailer: 'x-sum' },
      { waitForTrailers: true },
    );
    stream.on('error', () => {});
    let status = 0;
    stream.on('response', (head) => {
      status = Number(head[':status']);
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.resume();
    stream.end('hi');
    await eventually(() => stream.closed);
    return status;
  }

  it.each([
    ['a length', { 'content-length': '99', 'x-sum': '1' }],
    ['more bytes than a head may have', { 'x-sum': 'a'.repeat(60_000) }],
    [
      'more fields than a head may have',
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1'])),
    ],
  ])('end the stream: %s', async (_what, trailers) => {
    const gateway = await open();
    expect(await send(gateway, trailers as Record<string, string>)).not.toBe(200);
    expect(await send(gateway, { 'x-sum': '1', host: 'b', authorization: 'c' })).toBe(200);
    expect(got).toEqual([['x-sum', '1']]);
  });
});

describe('trailers of a gRPC call', () => {
  it.each([{}, { 'content-length': '5' }])('arrive after a head with %o', async (more) => {
    const message = Buffer.from([0, 0, 0, 0, 0]);
    const { url } = await h2Upstream(harness, (stream) => {
      const head = { ':status': 200, 'content-type': 'application/grpc', ...more };
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '0', 'x-meta': '1', 'cache-control': 'no-store' }),
      );
      stream.end(message);
    });
    const versions = { v1: { endpoints: [endpointOf(url)], tls: PLAIN_TLS, protocol: 'h2' as const } };
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', {}, { versions, defaultVersion: 'v1' })], {
        accessLog: log.config,
        listeners: [listenerOf({ http2: true })],
      }),
    );
    const session = connectHttp2(`http://127.0.0.1:${portOf(gateway)}`);
    harness.onClose(async () => session.destroy());
    const stream = session.request({
      ':method': 'POST',
      ':path': '/shop.Orders/Get',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let trailers: IncomingHttpHeaders = {};
    stream.on('trailers', (fields) => {
      trailers = { ...fields };
    });
    stream.resume();
    stream.end(message);
    await once(stream, 'close');
    expect(trailers).toMatchObject({ 'grpc-status': '0', 'x-meta': '1' });
    expect(trailers).not.toHaveProperty('cache-control');
    expect((await log.lines(1))[0]).toMatchObject({
      grpc_status: '0',
      response_trailers: 'passed:1 forbidden:1',
      error: '',
    });
  });
});
