import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route, Service } from '../../src/config/gateway-model.ts';
import { completeIdempotency } from '../../src/config/policies/idempotency.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { nobody } from '../support/failing-upstream.ts';
import {
  endpointOf,
  gatewayConfigOf,
  listenerOf,
  PLAIN_TLS,
  routeOf,
  serviceOf,
} from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { h2Upstream } from '../support/h2-upstream.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

type Protocol = 'http1' | 'h2';
const PROTOCOLS: readonly Protocol[] = ['http1', 'h2'];

function gatewayTo(
  url: string,
  protocol: Protocol,
  service: Partial<Service> = {},
  route: Partial<Route> = {},
): Promise<Gateway> {
  const versions = { v1: { endpoints: [endpointOf(url)], tls: PLAIN_TLS, protocol } };
  return harness.gateway(
    gatewayConfigOf([serviceOf('orders', {}, { versions, defaultVersion: 'v1', ...service })], {
      listeners: [listenerOf({ http2: true })],
      routes: [routeOf('orders', route)],
    }),
  );
}

describe('trailers of a response', () => {
  const GET = 'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n';

  async function answerOf(protocol: Protocol, trailers: readonly string[], request = GET): Promise<string> {
    const url =
      protocol === 'http1'
        ? (
            await harness.upstream((_request, response) => {
              response.writeHead(200, { trailer: 'X-Digest, X-Role' });
              response.write('body');
              response.addTrailers({ 'X-Digest': 'abc', 'X-Role': 'admin' });
              response.end();
            })
          ).url
        : (
            await h2Upstream(harness, (stream) => {
              stream.respond({ ':status': 200 }, { waitForTrailers: true });
              stream.on('wantTrailers', () => stream.sendTrailers({ 'x-digest': 'abc', 'x-role': 'admin' }));
              stream.end('body');
            })
          ).url;
    return raw(portOf(await gatewayTo(url, protocol, { trailers })), request);
  }

  it.each(PROTOCOLS)('are dropped unless the service allows them (%s)', async (protocol) => {
    expect(await answerOf(protocol, [])).toMatch(/4\r\nbody\r\n0\r\n\r\n$/);
    expect(await answerOf(protocol, ['x-digest'])).toMatch(/4\r\nbody\r\n0\r\nx-digest: abc\r\n\r\n$/i);
  });

  it('have no place in HTTP/1.0', async () => {
    const text = await answerOf('http1', ['x-digest'], 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect(text).toMatch(/\r\n\r\nbody$/);
  });
});

/** What an upstream got, as far as trailers are concerned. */
interface Got {
  readonly declared: string;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
}

/** Bytes as they come over a bare socket, read as chunks and what follows them. */
async function rawUpstream(got: Got[], answers: readonly string[]): Promise<string> {
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const whole = /^[\s\S]*?\r\n\r\n((?:[1-9a-f][0-9a-f]*\r\n[\s\S]*\r\n)?)0\r\n((?:[^\r\n]+\r\n)*)\r\n$/;
      const found = whole.exec(text);
      if (found === null) return;
      const [, chunks = '', trailers = ''] = found;
      got.push({
        declared: /^trailer: (.*)\r$/im.exec(text)?.[1] ?? '',
        body: chunks.replaceAll(/[0-9a-f]+\r\n([\s\S]*?)\r\n/g, '$1'),
        trailers: Object.fromEntries(
          trailers
            .split('\r\n')
            .filter((line) => line !== '')
            .map((line) => line.split(': ', 2) as [string, string]),
        ),
      });
      text = '';
      const status = answers[got.length - 1] ?? '200 OK';
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nok`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(async () => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function streamUpstream(got: Got[], answers: readonly string[]): Promise<string> {
  const { url } = await h2Upstream(harness, (stream, headers) => {
    let body = '';
    let trailers: Record<string, string> = {};
    stream.on('data', (piece: Buffer) => {
      body += piece;
    });
    stream.on('trailers', (fields: Record<string, string>) => {
      trailers = { ...fields };
    });
    stream.on('end', () => {
      got.push({ declared: String(headers.trailer ?? ''), body, trailers });
      stream.respond({ ':status': Number.parseInt(answers[got.length - 1] ?? '200', 10) });
      stream.end('ok');
    });
  });
  return url;
}

const HEAD = 'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n';
const CHUNKS = '\r\n4\r\nbody\r\n0\r\n';

describe('trailers of a request', () => {
  it('reach an upstream over TLS', async () => {
    const seen: string[][] = [];
    const server = createHttps(createAuthority().issue(['orders.test']), (request, response) => {
      request.resume();
      request.on('end', () => {
        seen.push(request.rawTrailers);
        response.end('ok');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tls = { ...PLAIN_TLS, verify: false };
    const versions = { v1: { endpoints: [endpointOf(url)], tls, protocol: 'http1' as const } };
    const open = await gatewayTo(url, 'http1', { requestTrailers: ['x-digest'], versions });
    await raw(portOf(open), `${HEAD}Trailer: X-Digest\r\n${CHUNKS}X-Digest: abc\r\n\r\n`);
    expect(seen).toEqual([['X-Digest', 'abc']]);
  });

  it('are cut short by an answer that does not wait for them, and by an upstream that is not there', async () => {
    const early = await harness.upstream((_request, response) => response.writeHead(413).end('too much'));
    const open = await gatewayTo(early.url, 'http1', { requestTrailers: ['x-digest'] });
    const started = `${HEAD}Trailer: X-Digest\r\n\r\n4\r\nbody\r\n`;
    expect(await raw(portOf(open), started)).toMatch(/^HTTP\/1.1 413 /);
    const away = await gatewayTo(await nobody(), 'http1', { requestTrailers: ['x-digest'] });
    const whole = `${HEAD}Trailer: X-Digest\r\n${CHUNKS}X-Digest: abc\r\n\r\n`;
    expect(await raw(portOf(away), whole)).toMatch(/^HTTP\/1.1 502 [\s\S]*UPSTREAM_CONNECT/);
    await eventually(() => harness.outcomes('v1', 'attempts', 'connectError') === 1);
    expect(harness.outcomes('v1', 'attempts', 'status4xx')).toBe(1);
  });
});

describe.each(PROTOCOLS)('trailers of a request to an upstream of %s', (protocol) => {
  let got: Got[];

  beforeEach(() => {
    got = [];
  });

  async function gateway(
    service: Partial<Service>,
    route: Partial<Route> = {},
    answers: readonly string[] = [],
  ): Promise<Gateway> {
    const url = await (protocol === 'http1' ? rawUpstream(got, answers) : streamUpstream(got, answers));
    return gatewayTo(url, protocol, service, route);
  }

  const lower = (trailers: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(trailers).map(([name, value]) => [name.toLowerCase(), value]));

  it('are dropped unless the service takes them, and the client declared them', async () => {
    const none = await gateway({ trailers: ['x-digest'] });
    const declaring = `${HEAD}Trailer: X-Digest, X-Role\r\n${CHUNKS}X-Digest: abc\r\nX-Role: admin\r\n\r\n`;
    expect(await raw(portOf(none), declaring)).toMatch(/^HTTP\/1.1 200 /);
    const some = await gateway({ requestTrailers: ['x-digest'] });
    expect(await raw(portOf(some), declaring)).toMatch(/^HTTP\/1.1 200 [\s\S]*ok/);
    expect(await raw(portOf(some), `${HEAD}${CHUNKS}X-Digest: abc\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(got.map(({ declared, trailers, body }) => [declared, lower(trailers), body])).toEqual([
      ['', {}, 'body'],
      ['X-Digest', { 'x-digest': 'abc' }, 'body'],
      ['', {}, 'body'],
    ]);
  });

  it('never are fields that decide about framing, access or the meaning of the body', async () => {
    const names = ['content-type', 'authorization', 'host', 'x-forwarded-for'];
    const fields = names.map((name) => `${name}: 1\r\n`).join('');
    const open = await gateway({ requestTrailers: [...names, 'x-digest'] });
    const declared = `Trailer: ${names.join(', ')}, X-Digest\r\n`;
    await raw(portOf(open), `${HEAD}${declared}${CHUNKS}${fields}X-Digest: abc\r\n\r\n`);
    expect(got.map(({ trailers }) => lower(trailers))).toEqual([{ 'x-digest': 'abc' }]);
  });

  it('come with every further try, from what was kept of the body', async () => {
    const retry = { attempts: 2, on: ['503'] as const, baseMs: 1, maxMs: 2, bufferBytes: 1_000 };
    const open = await gateway({ requestTrailers: ['x-digest'] }, { retry }, ['503 Busy', '200 OK']);
    const reply = await raw(portOf(open), `${HEAD}Trailer: X-Digest\r\n${CHUNKS}X-Digest: abc\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1.1 200 /);
    expect(got.map(({ trailers, body }) => [lower(trailers), body])).toEqual([
      [{ 'x-digest': 'abc' }, 'body'],
      [{ 'x-digest': 'abc' }, 'body'],
    ]);
  });

  it('come after a body that was collected first, for its idempotency key', async () => {
    const open = await gateway(
      { requestTrailers: ['x-digest'] },
      { idempotency: completeIdempotency({ required: true }) },
    );
    const head = HEAD.replace('PUT', 'POST');
    const fields = 'Idempotency-Key: "one"\r\nTrailer: X-Digest\r\n';
    expect(await raw(portOf(open), `${head}${fields}${CHUNKS}X-Digest: abc\r\n\r\n`)).toMatch(/ 200 /);
    expect(got.map(({ trailers, body }) => [lower(trailers), body])).toEqual([
      [{ 'x-digest': 'abc' }, 'body'],
    ]);
  });

  it('come from clients of HTTP/2, too', async () => {
    const open = await gateway({ requestTrailers: ['x-digest'] });
    const session = connectHttp2(`http://127.0.0.1:${portOf(open)}`);
    session.on('error', () => {});
    harness.onClose(async () => session.destroy());
    const stream = session.request(
      { ':method': 'PUT', ':path': '/', trailer: 'x-digest' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-digest': 'abc', 'x-role': 'admin' }));
    stream.end('body');
    expect((await once(stream, 'response'))[0]).toMatchObject({ ':status': 200 });
    expect(got.map(({ trailers, body }) => [lower(trailers), body])).toEqual([
      [{ 'x-digest': 'abc' }, 'body'],
    ]);
  });
});

describe('a trailer that is sent twice', () => {
  it('reaches an HTTP/2 upstream as one list, also where HTTP/2 takes a single value only', async () => {
    const got: (string | undefined)[] = [];
    const { url } = await h2Upstream(harness, (stream) => {
      stream.on('trailers', (trailers) => got.push(trailers.etag as string | undefined));
      stream.resume();
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
    });
    const gateway = await gatewayTo(url, 'h2', { requestTrailers: ['etag'] });
    const request =
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: etag\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '2\r\nhi\r\n0\r\netag: "a"\r\netag: "b"\r\n\r\n';
    expect(await raw(portOf(gateway), request)).toMatch(/^HTTP\/1\.1 200 /);
    expect(got).toEqual(['"a", "b"']);
  });
});

describe('the answer to a request with trailers', () => {
  // What is left when the connection ends depends on the buffers in between: several sizes, so that one leaves little.
  it.each([7, 8, 9, 10])(
    'of %i pieces is whole for a client that reads after the upstream is gone',
    async (pieces) => {
      const piece = Buffer.alloc(12_288, 120);
      let closed = false;
      const upstream = await harness.upstream((request, response) => {
        request.socket.once('close', () => {
          closed = true;
        });
        request.resume();
        response.setHeader('Connection', 'close');
        request.on('end', () => {
          for (let i = 0; i < pieces; i += 1) response.write(piece);
          response.end();
        });
      });
      const gateway = await gatewayTo(upstream.url, 'http1', { requestTrailers: ['x-sum'] });
      const session = connectHttp2(`http://127.0.0.1:${portOf(gateway)}`);
      harness.onClose(async () => session.destroy());
      const stream = session.request(
        { ':path': '/', ':method': 'POST', trailer: 'x-sum' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
      stream.end('abc');
      await once(stream, 'response');
      await eventually(() => closed);
      let got = 0;
      stream.on('data', (data: Buffer) => {
        got += data.length;
      });
      await once(stream, 'close').catch(() => {});
      expect([got, stream.rstCode]).toEqual([pieces * piece.length, 0]);
      await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
      expect(harness.outcomes('v1', 'attempts', 'reset')).toBe(0);
    },
  );
});
