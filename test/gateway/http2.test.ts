import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/config/gateway-model.ts';
import type { UpstreamTls } from '../../src/config/policies/upstream-tls.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { endpointOf, gatewayConfigOf, PLAIN_TLS, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Reply,
  raw,
} from '../support/gateway-harness.ts';
import { type H2Upstream, h2Upstream, type OnStream } from '../support/h2-upstream.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** HTTP/2 without TLS. */
const h2 = (onStream: OnStream): Promise<H2Upstream> => h2Upstream(harness, onStream);

function configOf(url: string, tls: Partial<UpstreamTls> = {}, changes: Partial<Service> = {}) {
  const versions = {
    v1: { endpoints: [endpointOf(url)], tls: { ...PLAIN_TLS, ...tls }, protocol: 'h2' as const },
  };
  const timeout = { connectMs: 1_000, responseMs: 3_000, idleMs: 5_000, totalMs: 5_000 };
  return gatewayConfigOf([serviceOf('orders', {}, { versions, defaultVersion: 'v1', ...changes })], {
    routes: [routeOf('orders', { timeout })],
  });
}

const codeOf = (reply: Reply): string => JSON.parse(reply.body).code;

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}

describe('HTTP/2 to upstreams', () => {
  it('carries many requests on one connection, with their fields', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const waiting: (() => void)[] = [];
    const upstream = await h2((stream, headers) => {
      seen.push(headers);
      waiting.push(() => {
        stream.respond({ ':status': 201, 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] });
        stream.end(`answer to ${headers[':path']}`);
      });
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    const replies = Array.from({ length: 20 }, (_, i) =>
      call(gateway, `/orders?n=${i}`, { headers: { host: 'shop.test', 'x-user-id': 'u1', cookie: 'c=3' } }),
    );
    await eventually(() => waiting.length === 20);
    for (const answer of waiting.reverse()) answer();
    for (const [i, reply] of (await Promise.all(replies)).entries()) {
      expect([reply.status, reply.body]).toEqual([201, `answer to /orders?n=${i}`]);
      expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    }
    expect(upstream.sessions).toHaveLength(1);
    const [first] = seen;
    expect([first?.[':authority'], first?.['x-forwarded-host']]).toEqual([
      new URL(upstream.url).host,
      'shop.test',
    ]);
    expect([first?.['x-user-id'], first?.cookie, first?.[':scheme']]).toEqual(['u1', 'c=3', 'http']);
    for (const name of ['host', 'connection', 'transfer-encoding']) expect(first).not.toHaveProperty(name);
  });

  it('opens another connection when one is full', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const upstream = await h2((stream) => waiting.push(stream));
    upstream.server.updateSettings({ maxConcurrentStreams: 4 });
    const gateway = await harness.gateway(configOf(upstream.url));
    const first = call(gateway, '/');
    await eventually(() => waiting.length === 1);
    const replies = Array.from({ length: 9 }, () => call(gateway, '/'));
    await eventually(() => waiting.length === 10);
    expect(upstream.sessions.length).toBeGreaterThan(2);
    for (const stream of waiting) {
      stream.respond({ ':status': 200 });
      stream.end();
    }
    for (const reply of [first, ...replies]) expect((await reply).status).toBe(200);
  });

  it.each([
    ['short', 'hello'],
    ['long, so that it streams', 'x'.repeat(300_000)],
  ])('sends a body that is %s', async (_title, body) => {
    const lengths: (string | undefined)[] = [];
    const upstream = await h2(async (stream, headers) => {
      lengths.push(headers['content-length']);
      const text = await bodyOf(stream);
      stream.respond({ ':status': 200 });
      stream.end(String(text.length));
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    expect((await call(gateway, '/', { method: 'POST', body })).body).toBe(String(body.length));
    expect(lengths).toEqual([String(body.length)]);
  });

  it('passes 103 on, knows answers without a body, and drops trailers', async () => {
    const upstream = await h2((stream, headers) => {
      if (headers[':method'] === 'HEAD') {
        stream.respond({ ':status': 200, 'content-length': '10' }, { endStream: true });
        return;
      }
      stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-digest': 'abc' }));
      stream.end('body');
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    const text = await raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(text).toContain('HTTP/1.1 103');
    expect(text).toContain('</a.css>; rel=preload');
    expect(text).toMatch(/4\r\nbody\r\n0\r\n\r\n$/);
    expect(text).not.toContain('digest');
    expect((await call(gateway, '/', { method: 'HEAD' })).headers['content-length']).toBe('10');
  });

  it('ends a stream, not the connection, when the client goes away or the upstream resets', async () => {
    const streams: ServerHttp2Stream[] = [];
    const upstream = await h2((stream, headers) => {
      streams.push(stream);
      if (headers[':path'] === '/reset') stream.close(2);
      if (headers[':path'] === '/fine') stream.respond({ ':status': 204 }, { endStream: true });
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    const gone = raw(portOf(gateway), 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      void eventually(() => streams.length === 1).then(() => socket.destroy());
    });
    await gone;
    await eventually(() => streams[0]?.closed);
    expect(streams[0]?.rstCode).toBe(8);
    expect(codeOf(await call(gateway, '/reset'))).toBe('UPSTREAM_RESET');
    expect((await call(gateway, '/fine')).status).toBe(204);
    expect(upstream.sessions).toHaveLength(1);
  });

  it('frees the place of an answer that nobody reads any more', async () => {
    const streams: ServerHttp2Stream[] = [];
    const upstream = await h2((stream, headers) => {
      streams.push(stream);
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/fine') {
        stream.end('fine');
        return;
      }
      const pour = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
      };
      stream.on('drain', pour);
      pour();
    });
    upstream.server.updateSettings({ maxConcurrentStreams: 1 });
    const gateway = await harness.gateway(configOf(upstream.url));
    expect((await call(gateway, '/fine')).body).toBe('fine');
    const socket = connect(portOf(gateway), '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => streams[1]?.writableNeedDrain);
    socket.destroy();
    await eventually(() => streams[1]?.closed);
    expect((await call(gateway, '/fine')).body).toBe('fine');
    expect(upstream.sessions).toHaveLength(1);
    expect((await admin(gateway, '/metrics')).body).toMatch(/sluice_endpoint_connections\{[^}]*\} 1/);
  });

  it('lets requests end when the upstream says goodbye, and opens a new connection for others', async () => {
    const streams: ServerHttp2Stream[] = [];
    const upstream = await h2((stream, headers) => {
      streams.push(stream);
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/fine') stream.end('fine');
      else stream.write('half');
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    const slow = call(gateway, '/slow');
    await eventually(() => streams.length === 1);
    upstream.sessions[0]?.close();
    expect((await call(gateway, '/fine')).body).toBe('fine');
    streams[0]?.end(' and half');
    expect((await slow).body).toBe('half and half');
    expect(streams).toHaveLength(2);
  });

  it('fails like any connection when nobody is there', async () => {
    const upstream = await h2(() => {});
    upstream.server.close();
    await once(upstream.server, 'close');
    const gateway = await harness.gateway(configOf(upstream.url));
    expect(codeOf(await call(gateway, '/'))).toBe('UPSTREAM_CONNECT');
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/http_client_request_duration_seconds_count\{[^}]*error_type="connect"\} 1/);
  });

  it('gives up a connection on which nothing comes any more', async () => {
    const sockets: Socket[] = [];
    const mute = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.resume();
    });
    const port = await listen(mute);
    harness.onClose(async () => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const config = configOf(`http://127.0.0.1:${port}`);
    const timeout = { connectMs: 1_000, responseMs: 100, idleMs: 5_000, totalMs: 5_000 };
    const gateway = await harness.gateway({ ...config, routes: [routeOf('orders', { timeout })] });
    expect(codeOf(await call(gateway, '/'))).toBe('UPSTREAM_TIMEOUT');
    await eventually(() => sockets[0]?.destroyed);
  });

  it('closes its connection when the endpoint goes', async () => {
    const upstream = await h2((stream) => {
      stream.respond({ ':status': 200 });
      stream.end();
    });
    const gateway = await harness.gateway(configOf(upstream.url));
    await call(gateway, '/');
    await gateway.reload(configOf((await h2(() => {})).url));
    await eventually(() => upstream.sessions[0]?.destroyed);
  });

  it('checks health over it', async () => {
    const paths: (string | undefined)[] = [];
    const upstream = await h2((stream, headers) => {
      paths.push(headers[':path']);
      stream.respond({ ':status': 503 });
      stream.end();
    });
    const health = {
      path: '/healthz',
      intervalMs: 20,
      timeoutMs: 1_000,
      jitter: 0,
      healthy: 1,
      unhealthy: 2,
      expect: [{ from: 200, to: 200 }],
      host: null,
    };
    await harness.gateway(configOf(upstream.url, {}, { health }));
    await eventually(() => harness.log.some((line) => line.includes('"reason":"status 503"')));
    expect(new Set(paths)).toEqual(new Set(['/healthz']));
  });
});

describe('HTTP/2 over TLS', () => {
  const authority = createAuthority();
  let ca: string;

  beforeEach(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    ca = join(folder, 'ca.pem');
    await writeFile(ca, authority.cert);
  });

  async function answerOf(
    server: Server,
    tls: Partial<UpstreamTls>,
  ): Promise<{ gateway: Gateway; reply: Reply }> {
    const port = await listen(server);
    harness.onClose(async () => server.close());
    const gateway = await harness.gateway(configOf(`https://127.0.0.1:${port}`, tls));
    return { gateway, reply: await call(gateway, '/', { headers: { host: 'evil.test' } }) };
  }

  it('is agreed on by ALPN, with the name of the endpoint', async () => {
    const server = createSecureServer(authority.issue(['orders.internal']));
    const names: unknown[] = [];
    server.on('secureConnection', (socket) => names.push(socket.servername));
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('secret');
    });
    server.on('session', (session) => harness.onClose(async () => session.destroy()));
    const { reply } = await answerOf(server, { ca, servername: 'orders.internal' });
    expect(reply.body).toBe('secret');
    expect(names).toEqual(['orders.internal']);
  });

  it('refuses whom it does not trust, and who speaks HTTP/1.1 only', async () => {
    const stranger = createSecureServer(createAuthority('Stranger').issue(['127.0.0.1']));
    expect(codeOf((await answerOf(stranger, { ca })).reply)).toBe('UPSTREAM_TLS');
    const old = createHttps(authority.issue(['127.0.0.1']), (_request, response) => response.end());
    expect(codeOf((await answerOf(old, { ca })).reply)).toBe('UPSTREAM_TLS');
  });
});
