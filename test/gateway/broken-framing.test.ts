import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let log: AccessFile;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
});
afterEach(() => harness.close());

const WHOLE = (request: IncomingMessage, response: ServerResponse): void => {
  request.on('error', () => undefined).resume();
  request.on('end', () => response.end('ok'));
};

async function gatewayTo(answer: typeof WHOLE, changes: Partial<Route> = {}): Promise<Gateway> {
  const { url } = await harness.upstream(answer);
  const config = gatewayConfigOf([serviceOf('orders', { v1: [url] })], {
    routes: [routeOf('orders', changes)],
  });
  return harness.gateway({ ...config, accessLog: log.config });
}

const HEAD = 'PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Sends the parts one after the other, each once the one before was read, until the connection is closed. */
async function exchangeOf(gateway: Gateway, parts: readonly string[], until = ''): Promise<string> {
  const socket = connect(portOf(gateway), '127.0.0.1');
  let received = '';
  socket.on('error', () => undefined);
  socket.on('data', (piece) => {
    received += piece.toString('latin1');
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const [index, part] of parts.entries()) {
    if (index > 0) await eventually(() => received.includes(until));
    socket.write(part);
  }
  await closed;
  return received;
}

/** One line of the request, and then one of the request that comes after it. */
async function onlyLine(gateway: Gateway): Promise<Readonly<Record<string, unknown>>> {
  await log.lines(1);
  expect((await call(gateway, '/after')).status).toBe(200);
  const lines = await log.lines(2);
  expect(lines.map(({ error }) => error)).toEqual([expect.any(String), '']);
  return lines[0] ?? {};
}

describe('a request that ceases to be HTTP after its head', () => {
  const cases = [
    ['a chunk size in C', '5\r\nhello\r\n0x1\r\na\r\n0\r\n\r\n', 'MALFORMED_REQUEST', 400],
    ['a chunk size that ends in a bare LF', '5\nhello\r\n0\r\n\r\n', 'MALFORMED_REQUEST', 400],
    ['a negative chunk size', '-1\r\nhello\r\n0\r\n\r\n', 'MALFORMED_REQUEST', 400],
    ['a chunk size beyond all numbers', 'fffffffffffffffff\r\nhello', 'MALFORMED_REQUEST', 400],
    ['a chunk longer than it says', '2\r\nhello\r\n0\r\n\r\n', 'MALFORMED_REQUEST', 400],
    ['a trailer with a space in its name', '0\r\nX Sum: 1\r\n\r\n', 'MALFORMED_REQUEST', 400],
    ['a trailer that is a length', '0\r\nContent-Length: 5\r\n\r\n', 'BAD_FRAMING', 400],
    ['trailers without end', `0\r\nX-Sum: ${'x'.repeat(200_000)}`, 'HEADERS_TOO_LARGE', 431],
  ] as const;

  it.each(cases)('by %s is refused once, and told once', async (_case, rest, code, status) => {
    const gateway = await gatewayTo(WHOLE);
    const answer = await exchangeOf(gateway, [HEAD + rest]);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(`"code":"${code}"`);
    expect(answer.match(/^HTTP\//gm)).toHaveLength(1);
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(await onlyLine(gateway)).toMatchObject({ method: 'PUT', status, error: code });
  });

  it('ends an answer that is on its way, and is no client that went away', async () => {
    const gateway = await gatewayTo((request, response) => {
      request.on('error', () => undefined).resume();
      if (request.method === 'GET') response.end();
      else response.write('begun');
    });
    const answer = await exchangeOf(gateway, [`${HEAD}5\r\nhello\r\n`, 'zz\r\n'], 'begun');
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(await onlyLine(gateway)).toMatchObject({ status: 200, error: 'MALFORMED_REQUEST' });
  });
});

describe('an answer that is no HTTP', () => {
  it('is tried again as one that broke off', async () => {
    let asked = 0;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      asked += 1;
      if (asked > 1) response.end('ok');
      else request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab');
    };
    const retry = { attempts: 1, on: ['reset'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const gateway = await gatewayTo(answer, { retry });
    expect(await call(gateway, '/')).toMatchObject({ status: 200, body: 'ok' });
    expect(asked).toBe(2);
  });
});
