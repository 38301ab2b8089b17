import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((_request, response) => response.end('answer'));
});

afterEach(() => harness.close());

function start(changes: Partial<GatewayConfig> = {}): Promise<Gateway> {
  return harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], changes));
}

/** Fields that the upstream got for a request with these lines. */
async function received(gateway: Gateway, lines: string): Promise<Record<string, unknown>> {
  const text = await raw(portOf(gateway), `GET / HTTP/1.1\r\nHost: shop.test:8080\r\n${lines}\r\n`);
  expect(text).toContain('answer');
  return { ...upstream.seen.at(-1)?.headers };
}

describe('request fields', () => {
  it('pass through unless they belong to the connection', async () => {
    const fields = await received(
      await start(),
      'Connection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nTE: gzip\r\nTrailer: X-T\r\nKeep-Alive: 1\r\n' +
        'Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nUpgrade: x\r\nCookie: a=b\r\nAuthorization: Bearer t\r\n',
    );
    expect(fields).toMatchObject({
      'x-end': '2',
      cookie: 'a=b',
      authorization: 'Bearer t',
      connection: 'keep-alive',
    });
    for (const name of [
      'x-hop',
      'te',
      'trailer',
      'keep-alive',
      'proxy-connection',
      'proxy-authorization',
      'upgrade',
    ]) {
      expect(fields).not.toHaveProperty(name);
    }
  });

  it('of an untrusted peer cannot forge where it comes from, under any spelling', async () => {
    const fields = await received(
      await start(),
      'Connection: close\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n' +
        'Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Consumer-Id: root\r\nX_Consumer_Id: root\r\n' +
        'X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nTransfer_Encoding: chunked\r\nmy_own: 1\r\n',
    );
    expect(fields).toMatchObject({
      host: new URL(upstream.url).host,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.test:8080',
      my_own: '1',
    });
    for (const name of [
      'forwarded',
      'x-real-ip',
      'x-consumer-id',
      'x_consumer_id',
      'x_forwarded_for',
      'x-forwarded_for',
      'transfer_encoding',
    ]) {
      expect(fields).not.toHaveProperty(name);
    }
  });

  it.each([
    'X-Forwarded-User',
    'X-Forwarded-Email',
    'X_Forwarded_User',
    'X-Forwarded-Client-Cert',
    'X-SSL-Client-Verify',
    'Remote-User',
    'Remote_User',
    'X-Remote-User',
    'X-Auth-Request-Email',
    'X-Original-URL',
    'X-Rewrite-URL',
  ])('of an untrusted peer say nothing of who asks or for what: %s', async (name) => {
    const sent = `Connection: close\r\n${name}: forged\r\nX-Plain: kept\r\n`;
    expect(Object.values(await received(await start(), sent))).not.toContain('forged');
    const trusting = await received(await start({ trustedProxies: ['127.0.0.0/8'] }), sent);
    // Nobody knows which of the two names a proxy of ours has set.
    if (!name.includes('_')) expect(trusting[name.toLowerCase()]).toBe('forged');
    expect(trusting['x-plain']).toBe('kept');
  });

  it('of a trusted peer are believed and continued', async () => {
    const fields = await received(
      await start({ trustedProxies: ['127.0.0.0/8'] }),
      'Connection: close\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\n' +
        'Forwarded: for=203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\n',
    );
    expect(fields).toMatchObject({
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'www.test',
      forwarded: 'for=203.0.113.7, for=127.0.0.1;host="shop.test:8080";proto=http',
      'x-real-ip': '203.0.113.7',
    });
  });

  it('of a trusted peer that writes Forwarded only are believed, and told in both ways', async () => {
    const gateway = await start({ trustedProxies: ['127.0.0.0/8'] });
    const field = 'for="[2001:db8::7]:443";proto=https;host=www.test';
    expect(await received(gateway, `Connection: close\r\nForwarded: for="6, ${field}\r\n`)).toMatchObject({
      'x-forwarded-for': '2001:db8::7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'www.test',
      forwarded: `${field}, for=127.0.0.1;host="shop.test:8080";proto=http`,
    });
  });

  it('X-Forwarded-For wins over Forwarded', async () => {
    const gateway = await start({ trustedProxies: ['127.0.0.0/8'] });
    const both =
      'Connection: close\r\nForwarded: for=6.6.6.6;proto=https;host=evil.test\r\nX-Forwarded-For: 203.0.113.7\r\n';
    expect(await received(gateway, both)).toMatchObject({
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.test:8080',
    });
  });

  it('carry a sound request id on, and get a new one instead of an unsound one', async () => {
    const gateway = await start();
    const sound = await call(gateway, '/', { headers: { 'x-request-id': 'abc-DEF_12345' } });
    expect(sound.headers['x-request-id']).toBe('abc-DEF_12345');
    expect(upstream.seen.at(-1)?.headers['x-request-id']).toBe('abc-DEF_12345');
    const unsound = await call(gateway, '/', { headers: { 'x-request-id': 'a b' } });
    expect(unsound.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(upstream.seen.at(-1)?.headers['x-request-id']).toBe(unsound.headers['x-request-id']);
  });

  it('continue a trace with a span of their own', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await call(await start(), '/', {
      headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01`, tracestate: 'a=1' },
    });
    const { traceparent, tracestate } = upstream.seen.at(-1)?.headers ?? {};
    expect(traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain('00f067aa0ba902b7');
    expect(tracestate).toBe('a=1');
  });

  it('start a new trace, which nobody samples, when the sent one is malformed or repeated, and drop its state', async () => {
    const gateway = await start();
    await call(gateway, '/', { headers: { traceparent: 'ff-bad', tracestate: 'a=1' } });
    expect(upstream.seen.at(-1)?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(upstream.seen.at(-1)?.headers.tracestate).toBeUndefined();
    const line = (id: string): string => `traceparent: 00-${id.repeat(32)}-00f067aa0ba902b7-01\r\n`;
    const fields = await received(gateway, `Connection: close\r\n${line('a')}${line('b')}`);
    expect(fields.traceparent).not.toMatch(/^00-(a{32}|b{32})/);
  });
});

describe('response fields', () => {
  it('lose what belongs to the connection and keep repeated cookies apart', async () => {
    upstream.server.removeAllListeners('request');
    upstream.server.on('request', (_request, response) => {
      response.writeHead(200, [
        ['Connection', 'X-Hop'],
        ['X-Hop', '1'],
        ['Keep-Alive', 'timeout=9'],
        ['Proxy-Connection', 'x'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-Request-ID', 'of-the-upstream'],
        ['Content-Length', '2'],
      ] as unknown as string[]);
      response.end('ok');
    });
    const reply = await call(await start(), '/', { headers: { 'x-request-id': 'abcdefgh' } });
    expect(reply.headers).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      'x-request-id': 'abcdefgh',
      'content-length': '2',
    });
    for (const name of ['x-hop', 'proxy-connection']) expect(reply.headers).not.toHaveProperty(name);
    expect(reply.headers['keep-alive']).not.toBe('timeout=9');
  });

  it('keep their length on HEAD and their status without a body', async () => {
    upstream.server.removeAllListeners('request');
    upstream.server.on('request', (request, response) => {
      if (request.url === '/304') response.writeHead(304, { ETag: '"x"' }).end();
      else if (request.url === '/204') response.writeHead(204).end();
      else response.writeHead(200, { 'Content-Length': 1_234 }).end();
    });
    const gateway = await start();
    const head = await call(gateway, '/', { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '1234', '']);
    expect((await call(gateway, '/304')).headers.etag).toBe('"x"');
    expect((await call(gateway, '/204')).status).toBe(204);
  });
});
