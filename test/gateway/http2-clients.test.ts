import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ListenerConfig } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { callTls } from '../support/tls-client.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

async function gatewayTo(
  url: string,
  listener: Partial<ListenerConfig> = {},
  drainMs = 2_000,
): Promise<Gateway> {
  return harness.gateway(
    gatewayConfigOf([serviceOf('orders', { v1: [url] })], {
      listeners: [listenerOf({ http2: true, ...listener })],
      drainMs,
      routes: [routeOf('orders', { maxBodyBytes: 300_000 })],
    }),
  );
}

function sessionTo(gateway: Gateway): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${portOf(gateway)}`);
  session.on('error', () => {});
  harness.onClose(async () => session.destroy());
  return session;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  stream.setEncoding('utf8');
  let body = '';
  stream.on('data', (piece: string) => {
    body += piece;
  });
  const [[headers]] = await Promise.all([once(stream, 'response'), once(stream, 'close')]);
  return { headers: headers as IncomingHttpHeaders, body };
}

describe('a client over TLS', () => {
  it('gets HTTP/2 or HTTP/1.1, whichever it prefers, with the addresses and the scheme of its connection', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-h2-'));
    harness.onClose(() => rm(folder, { recursive: true }));
    const authority = createAuthority();
    const { cert, key } = authority.issue(['shop.test']);
    const files = { cert: join(folder, 'shop.pem'), key: join(folder, 'shop.key') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    const upstream = await harness.upstream(({ headers }, response) =>
      response.end(`${headers['x-forwarded-proto']} ${headers['x-forwarded-for']}`),
    );
    const tls = { certificates: [files], minVersion: 'TLSv1.2', clientCertificates: null } as const;
    const gateway = await gatewayTo(upstream.url, { tls });
    const ca = authority.cert;
    const session = connect(`https://127.0.0.1:${portOf(gateway)}`, { ca, servername: 'shop.test' });
    harness.onClose(async () => session.destroy());
    expect((await answerOf(session.request({ ':path': '/' }))).body).toBe('https 127.0.0.1');
    const older = await callTls(gateway, { ca, servername: 'shop.test', ALPNProtocols: ['http/1.1'] });
    expect(older).toMatchObject({ status: 200, body: 'https 127.0.0.1', alpn: 'http/1.1' });
  });
});

describe('a client that speaks HTTP/2 without TLS', () => {
  it('gets what it asks for, on the same listener as HTTP/1.1', async () => {
    const upstream = await harness.upstream((request, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.end(
        `${request.method} ${request.url} ${request.headers['x-forwarded-host']} ${request.headers.cookie}`,
      );
    });
    const gateway = await gatewayTo(upstream.url);
    const session = sessionTo(gateway);
    const answers = await Promise.all(
      [1, 2, 3].map((i) =>
        answerOf(
          session.request({ ':path': `/o/${i}?x=1`, ':authority': 'shop.test', cookie: ['c=3', 'd=4'] }),
        ),
      ),
    );
    expect(answers.map(({ body }) => body)).toEqual(
      [1, 2, 3].map((i) => `GET /o/${i}?x=1 shop.test c=3; d=4`),
    );
    expect(answers[0]?.headers).toMatchObject({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] });
    expect(answers[0]?.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect((await call(gateway, '/one')).body).toContain('GET /one');
  });

  it('sends bodies with and without a length, and HEAD', async () => {
    const upstream = await harness.upstream((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () =>
        response.end(`${request.headers['content-length']} ${Buffer.concat(pieces).length}`),
      );
    });
    const session = sessionTo(await gatewayTo(upstream.url));
    const known = session.request({ ':method': 'POST', ':path': '/', 'content-length': 5 });
    known.end('hello');
    expect((await answerOf(known)).body).toBe('5 5');
    const unknown = session.request({ ':method': 'POST', ':path': '/' });
    unknown.write('x'.repeat(150_000));
    unknown.end('y'.repeat(100_000));
    expect((await answerOf(unknown)).body).toBe('undefined 250000');
    const head = await answerOf(session.request({ ':method': 'HEAD', ':path': '/' }));
    expect([head.headers[':status'], head.body]).toEqual([200, '']);
    const large = session.request({ ':method': 'POST', ':path': '/' });
    large.on('error', () => {});
    large.end('x'.repeat(400_000));
    expect((await answerOf(large)).headers[':status']).toBe(413);
  });

  it('is refused like any other where its request is ambiguous', async () => {
    const upstream = await harness.named('v1');
    const session = sessionTo(await gatewayTo(upstream.url));
    const status = async (headers: Record<string, string>) =>
      (await answerOf(session.request({ ':path': '/', ...headers }))).headers[':status'];
    expect(await status({ ':path': '/a/../b' })).toBe(400);
    expect(await status({ ':authority': 'a.test', host: 'b.test' })).toBe(400);
    expect(await status({ ':path': '/a%2fb' })).toBe(400);
    // Some servers take it for GET.
    expect(await status({ ':method': 'get' })).toBe(501);
    expect(await status({ ':method': 'Post' })).toBe(501);
    expect(upstream.seen).toHaveLength(0);
  });

  it('slows an upstream down by reading slowly, and tells it at once when it leaves', async () => {
    let sent = 0;
    let closed = false;
    const upstream = await harness.upstream((_request, response) => {
      response.on('close', () => {
        closed = true;
      });
      const more = (): void => {
        while (!closed && response.write(Buffer.alloc(65_536))) sent += 65_536;
        response.once('drain', more);
      };
      more();
    });
    const session = sessionTo(await gatewayTo(upstream.url));
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await once(stream, 'response');
    let before = -1;
    await eventually(() => {
      const still = before === sent;
      before = sent;
      return still;
    });
    expect(sent).toBeLessThan(32_000_000);
    stream.close(constants.NGHTTP2_CANCEL);
    await eventually(() => closed);
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
  });

  it('is cut off when it calls off one request after another', async () => {
    const upstream = await harness.upstream(() => {});
    const session = sessionTo(await gatewayTo(upstream.url));
    const goaway = once(session, 'goaway');
    for (let i = 0; i < 300 && !session.destroyed; i += 1) {
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect((await goaway)[0]).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it('may have so many requests under way and no more, and fields of so many bytes', async () => {
    const upstream = await harness.named('v1');
    const session = sessionTo(await gatewayTo(upstream.url));
    await once(session, 'remoteSettings');
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 128, maxHeaderListSize: 39_168 });
    const big = session.request({ ':path': '/', 'x-big': 'x'.repeat(30_000) });
    expect((await answerOf(big)).headers[':status']).toBe(431);
    const bigger = session.request({ ':path': '/', 'x-big': 'x'.repeat(50_000) });
    await expect(answerOf(bigger)).rejects.toThrow(/NGHTTP2|ERR/);
    expect((await answerOf(session.request({ ':path': '/' }))).body).toBe('v1');
  });

  it('is told to go elsewhere when the gateway drains, and gets the answer that is under way', async () => {
    let release = (): void => {};
    const upstream = await harness.upstream((_request, response) => {
      release = () => response.end('done');
    });
    const gateway = await gatewayTo(upstream.url, {}, 10_000);
    const session = sessionTo(gateway);
    const answer = answerOf(session.request({ ':path': '/' }));
    await eventually(() => upstream.seen.length === 1);
    const goaway = once(session, 'goaway');
    const drained = gateway.drain();
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
    release();
    expect((await answer).body).toBe('done');
    await drained;
  });

  it('that says nothing, or half of a greeting, is gone after the time for a request head', async () => {
    const upstream = await harness.named('v1');
    const { limits } = listenerOf({});
    const gateway = await gatewayTo(upstream.url, { limits: { ...limits, headersTimeoutMs: 300 } });
    const startedMs = performance.now();
    await Promise.all([
      raw(portOf(gateway), ''),
      raw(portOf(gateway), 'PR'),
      raw(portOf(gateway), 'PRI * HTTP/2.0\r\n\r\n'),
    ]);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await raw(portOf(gateway), 'PRIX / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 (?:400|501)/,
    );
  });

  it('is in the access log like any other', async () => {
    const log = accessFile(harness);
    const upstream = await harness.named('v1');
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
        listeners: [listenerOf({ http2: true })],
        accessLog: log.config,
      }),
    );
    await answerOf(sessionTo(gateway).request({ ':path': '/' }));
    expect((await log.lines(1))[0]).toMatchObject({
      status: 200,
      version: 'v1',
      bytes: 2,
      error: '',
      client_ip: '127.0.0.1',
    });
    await eventually(() => harness.outcomes('v1', 'responses', 'status2xx') === 1);
  });
});

describe('uploads without a byte', () => {
  it('end at once, also where head and end arrive together on several connections', async () => {
    const upstream = await harness.upstream((request, response) => {
      request.resume();
      request.on('end', () => response.end('ok'));
    });
    const gateway = await gatewayTo(upstream.url);
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const stream = sessionTo(gateway).request({ ':method': 'POST', ':path': '/' });
        stream.end();
        return answerOf(stream);
      }),
    );
    expect(answers.map(({ headers }) => headers[':status'])).toEqual(Array(8).fill(200));
  });
});
