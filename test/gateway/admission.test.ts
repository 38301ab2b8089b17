import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let gateway: Gateway;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => {
    request.resume();
    request.on('end', () => response.end('answer'));
  });
  const service = serviceOf('orders', { v1: [upstream.url] });
  gateway = await harness.gateway(
    gatewayConfigOf([service], { routes: [routeOf('orders', { maxBodyBytes: 1_000 })] }),
  );
});

afterEach(() => harness.close());

/** Status and problem code of the answer to bytes on a fresh connection. */
async function refusal(bytes: string): Promise<string> {
  const text = await raw(portOf(gateway), bytes);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'none';
  const code = /"code":"(\w+)"/.exec(text)?.[1] ?? '';
  expect(text).toMatch(/"request_id":"[\w-]{8,64}"/);
  return `${status} ${code}`;
}

const HOST = 'Host: shop.test\r\n';
const CLOSE = 'Connection: close\r\n';

describe('admission', () => {
  it.each([
    ['an encoding before chunked', `Transfer-Encoding: gzip, chunked\r\n`],
    ['an empty element before chunked', `Transfer-Encoding: ,chunked\r\n`],
    ['chunked twice', `Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`],
    ['Content-Length beside Transfer-Encoding', `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`],
    ['two Content-Length fields', `Content-Length: 5\r\nContent-Length: 6\r\n`],
    ['a signed Content-Length', `Content-Length: +5\r\n`],
  ])('refuses %s', async (_case, fields) => {
    const answer = await refusal(`POST / HTTP/1.1\r\n${HOST}${fields}\r\n0\r\n\r\n`);
    expect(answer).toMatch(/^400 (BAD_FRAMING|MALFORMED_REQUEST)$/);
    expect(upstream.seen).toHaveLength(0);
  });

  it.each([
    [
      'HTTP/1.0 with chunked',
      `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      '400 BAD_FRAMING',
    ],
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', '400 BAD_HOST'],
    ['HTTP/1.0 with a bad Host', 'GET / HTTP/1.0\r\nHost: a/../@evil.test?#\r\n\r\n', '400 BAD_HOST'],
    ['HTTP/1.1 without Host', `GET / HTTP/1.1\r\n${CLOSE}\r\n`, '400 BAD_HOST'],
    ['an empty Host', `GET / HTTP/1.1\r\nHost:\r\n${CLOSE}\r\n`, '400 BAD_HOST'],
    ['two Host fields', `GET / HTTP/1.1\r\n${HOST}${HOST}${CLOSE}\r\n`, '400 BAD_HOST'],
    ['a foreign authority', `GET http://evil.test/ HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '400 BAD_HOST'],
    [
      'user info in the target',
      `GET http://shop.test@evil.test/ HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
      '400 BAD_HOST',
    ],
    ['an escaped slash', `GET /a%2fb HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '400 BAD_PATH'],
    ['a dot segment', `GET /a/../b HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '400 BAD_PATH'],
    ['a backslash', `GET /\\evil.test/x HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '400 BAD_PATH'],
    ['the server as a whole', `OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '400 BAD_PATH'],
    [
      'Connection that names Authorization',
      `GET / HTTP/1.1\r\n${HOST}Connection: close, Authorization\r\n\r\n`,
      '400 BAD_CONNECTION_FIELD',
    ],
    [
      'Connection that names X-Forwarded-For',
      `GET / HTTP/1.1\r\n${HOST}Connection: close\r\nConnection: x-forwarded-for\r\n\r\n`,
      '400 BAD_CONNECTION_FIELD',
    ],
    [
      'two Authorization fields',
      `GET / HTTP/1.1\r\n${HOST}${CLOSE}Authorization: a\r\nAuthorization: b\r\n\r\n`,
      '400 DUPLICATE_AUTHORIZATION',
    ],
    [
      'two Content-Type fields, of which a rule on bodies and the upstream would read different ones',
      `POST / HTTP/1.1\r\n${HOST}${CLOSE}Content-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
      '400 DUPLICATE_CONTENT_TYPE',
    ],
    [
      'an unknown expectation',
      `GET / HTTP/1.1\r\n${HOST}${CLOSE}Expect: wonders\r\n\r\n`,
      '417 EXPECTATION_FAILED',
    ],
    [
      'an upgrade to h2c',
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      '501 UPGRADE_REFUSED',
    ],
    [
      'a WebSocket',
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`,
      '501 UPGRADE_REFUSED',
    ],
    ['CONNECT', `CONNECT shop.test:443 HTTP/1.1\r\n${HOST}\r\n`, '501 METHOD_NOT_IMPLEMENTED'],
    ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, '501 METHOD_NOT_IMPLEMENTED'],
    [
      'a target that is too long',
      `GET /${'x'.repeat(8_192)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
      '414 URI_TOO_LONG',
    ],
    ['a broken request line', 'nonsense\r\n\r\n', '400 MALFORMED_REQUEST'],
    ['white space before the colon', `GET / HTTP/1.1\r\n${HOST}Name : x\r\n\r\n`, '400 MALFORMED_REQUEST'],
    [
      'a head that is too large',
      `GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(20_000)}\r\n\r\n`,
      '431 HEADERS_TOO_LARGE',
    ],
    [
      'too many fields',
      `GET / HTTP/1.1\r\n${HOST}${CLOSE}${'X: y\r\n'.repeat(120)}\r\n`,
      '431 HEADERS_TOO_LARGE',
    ],
  ])('refuses %s', async (_case, bytes, expected) => {
    expect(await refusal(bytes)).toBe(expected);
    expect(upstream.seen).toHaveLength(0);
  });

  it('goes on serving after all of that', async () => {
    await raw(portOf(gateway), 'GET / HTTP/1.0\r\n\r\n');
    expect((await call(gateway, '/')).body).toBe('answer');
  });

  it('serves HTTP/1.0 with a Host, absolute-form of the own host, and a merged path', async () => {
    expect(await raw(portOf(gateway), `GET /a HTTP/1.0\r\n${HOST}\r\n`)).toContain('answer');
    expect(
      await raw(portOf(gateway), `GET http://SHOP.test//b/%41 HTTP/1.1\r\n${HOST}${CLOSE}\r\n`),
    ).toContain('answer');
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/a', '/b/A']);
  });

  it('refuses a body that is too large by its Content-Length, without reading it', async () => {
    expect(await refusal(`POST / HTTP/1.1\r\n${HOST}Content-Length: 1001\r\n\r\n`)).toBe(
      '413 BODY_TOO_LARGE',
    );
    expect(upstream.seen).toHaveLength(0);
  });

  it('refuses a chunked body as soon as it grows too large', async () => {
    const piece = `fa0\r\n${'x'.repeat(4_000)}\r\n`;
    expect(await refusal(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${piece}`)).toBe(
      '413 BODY_TOO_LARGE',
    );
  });

  it('answers 413 instead of 100 (Continue), and 100 when the body is welcome', async () => {
    const head = `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n`;
    const refused = await raw(portOf(gateway), `${head}Content-Length: 1001\r\n\r\n`);
    expect(refused).toMatch(/^HTTP\/1\.1 413 /);
    const welcome = await raw(portOf(gateway), `${head}${CLOSE}Content-Length: 5\r\n\r\n`, (socket) => {
      socket.once('data', () => socket.write('hello'));
    });
    expect(welcome).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    expect(upstream.seen[0]?.headers.expect).toBeUndefined();
  });

  it('does not read a pipelined second request as part of the first', async () => {
    const text = await raw(
      portOf(gateway),
      `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
    );
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/1', '/2']);
  });

  it('never answers an upgrade or garbage in the place of an earlier request', async () => {
    upstream.server.removeAllListeners('request');
    const slow = `GET /slow HTTP/1.1\r\n${HOST}\r\n`;
    const upgrade = `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    expect(await raw(portOf(gateway), slow + upgrade)).toBe('');
    expect(await raw(portOf(gateway), `${slow}garbage\r\n\r\n`)).toBe('');
  });

  it('stays in step on a connection whose upload was answered early', async () => {
    upstream.server.removeAllListeners('request');
    upstream.server.on('request', (request, response) => {
      if (request.url === '/early') response.end('early');
      else response.end('late');
    });
    const first = `POST /early HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`;
    const rest = `5\r\nworld\r\n0\r\n\r\nGET /late HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
    const text = await raw(portOf(gateway), first, (socket) => {
      let sent = false;
      socket.on('data', (piece: string) => {
        if (sent || !piece.includes('early')) return;
        sent = true;
        socket.write(rest);
      });
    });
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(text).toContain('late');
  });

  it('counts no refused request as in flight', async () => {
    await raw(portOf(gateway), `GET /a%2fb HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    const metrics = (await admin(gateway, '/metrics')).body;
    expect(metrics).toContain('sluice_requests_in_flight 0');
  });
});
