import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { cached, numbered, status } from '../support/caching-gateway.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw, splitOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('a route that caches', () => {
  it('answers a second request from the store, with Age and Cache-Status', async () => {
    const { gateway, calls } = await cached(harness, numbered({ 'cache-control': 'max-age=60', 'x-a': '1' }));
    const first = await call(gateway, '/a?x=1');
    const second = await call(gateway, '/a?x=1');
    expect([first.body, second.body, calls()]).toEqual(['call 1', 'call 1', 1]);
    expect(status(first)).toBe('sluice; fwd=uri-miss; stored');
    expect(status(second)).toMatch(/^sluice; hit; ttl=(5\d|60)$/);
    expect(second.headers).toMatchObject({
      age: expect.stringMatching(/^\d$/),
      'x-a': '1',
      'content-length': '6',
      date: first.headers.date,
    });
    expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect((await call(gateway, '/a?x=2')).body).toBe('call 2');
  });

  it('counts hits as responses of the version, never as attempts', async () => {
    const { gateway } = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    for (let i = 0; i < 10; i += 1) await call(gateway, '/');
    await eventually(() => harness.outcomes('v1', 'responses', 'status2xx') === 10);
    expect(harness.outcomes('v1', 'attempts', 'status2xx')).toBe(1);
  });

  it('keeps versions apart', async () => {
    const { gateway, calls } = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    const ask = (user: string) => call(gateway, '/', { headers: { 'x-user-id': user } });
    await ask('u');
    await harness.channel.write(splitOf('shop', 1, 10_000));
    await eventually(() => gateway.splits()[0]?.split.revision === 1);
    expect([(await ask('u')).body, (await ask('u')).body, calls()]).toEqual(['call 2', 'call 2', 2]);
  });

  it('does not make requests wait for each other where nothing can be stored', async () => {
    let together = false;
    const waiting: (() => void)[] = [];
    const { gateway, calls } = await cached(harness, (_request, response) => {
      waiting.push(() => response.writeHead(200, { 'cache-control': 'private' }).end());
      // Nobody gets an answer before all have asked.
      if (!together || waiting.length === 10) for (const answer of waiting.splice(0)) answer();
    });
    const ask = () => Promise.all(Array.from({ length: 10 }, () => call(gateway, '/')));
    await ask();
    expect(calls()).toBe(10);
    together = true;
    const replies = await ask();
    expect(replies.map((reply) => reply.status)).toEqual(Array(10).fill(200));
    expect(calls()).toBe(20);
  });

  it('answers conditions, ranges and HEAD from a stored GET', async () => {
    const { gateway, calls } = await cached(
      harness,
      numbered({ 'cache-control': 'max-age=60', etag: '"a"' }),
    );
    const ask = (headers: Record<string, string>, method = 'GET') => call(gateway, '/', { headers, method });
    await ask({});
    const notModified = await ask({ 'if-none-match': 'W/"a", "b"' });
    expect([notModified.status, notModified.headers.etag, notModified.body]).toEqual([304, '"a"', '']);
    const part = await ask({ range: 'bytes=1-3' });
    expect([part.status, part.body, part.headers['content-range']]).toEqual([206, 'all', 'bytes 1-3/6']);
    expect((await ask({ range: 'bytes=9-' })).status).toBe(416);
    expect((await ask({ range: 'bytes=1-3', 'if-range': '"old"' })).status).toBe(200);
    const head = await ask({}, 'HEAD');
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '6', '']);
    expect(calls()).toBe(1);
  });

  it('tells queries apart as its policy says and sends them on in the order in which they came', async () => {
    const { gateway, calls, seen } = await cached(harness, numbered({ 'cache-control': 'max-age=60' }), {
      query: { sort: true, exclude: ['utm_*'], forward: false },
      headers: ['x-region'],
    });
    const ask = (path: string, region = 'eu') => call(gateway, path, { headers: { 'x-region': region } });
    await ask('/?b=1&utm_source=x&a=2');
    await ask('/?a=2&b=1');
    expect(calls()).toBe(1);
    expect(seen[0]?.url).toBe('/?b=1&a=2');
    await ask('/?a=2&b=1', 'us');
    expect(calls()).toBe(2);
  });

  it('obeys the directives of clients, unless its policy says otherwise', async () => {
    const ask = (gateway: Gateway, text: string) =>
      call(gateway, '/', { headers: { 'cache-control': text } });
    const obeying = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    const none = await ask(obeying.gateway, 'only-if-cached');
    expect([none.status, JSON.parse(none.body).code]).toEqual([504, 'NOT_CACHED']);
    await ask(obeying.gateway, 'max-age=60');
    await ask(obeying.gateway, 'no-cache');
    await ask(obeying.gateway, 'no-store');
    expect(obeying.calls()).toBe(3);
    const deaf = await cached(harness, numbered({ 'cache-control': 'max-age=60' }), {
      clientDirectives: false,
    });
    for (const text of ['no-cache', 'no-cache', 'no-store']) await ask(deaf.gateway, text);
    expect(deaf.calls()).toBe(1);
  });

  it('leaves conditions that only the origin can judge, and requests with bodies, to the upstream', async () => {
    const { gateway, calls } = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    await call(gateway, '/');
    const reply = await call(gateway, '/', { headers: { 'if-match': '"a"' } });
    expect(status(reply)).toBe('sluice; fwd=bypass');
    await call(gateway, '/', { body: 'x' });
    expect(calls()).toBe(3);
  });

  it('passes early hints on and stores none of them', async () => {
    const { gateway, calls } = await cached(harness, (_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.css>; rel=preload'], 'x-hint': '1' });
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('final');
    });
    const ask = (): Promise<string> =>
      raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const first = await ask();
    expect(first).toMatch(/^HTTP\/1.1 102 Processing\r\n\r\nHTTP\/1.1 103 Early Hints\r\n/);
    expect(first).toContain('Link: </a.css>; rel=preload, </b.css>; rel=preload\r\n');
    expect(first.split('HTTP/1.1 200 OK')[1]).not.toContain('x-hint');
    const second = await ask();
    expect(second).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(second).not.toContain('x-hint');
    expect(calls()).toBe(1);
    const old = await raw(portOf(gateway), 'GET /old HTTP/1.0\r\nHost: a\r\n\r\n');
    expect(old).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  it('shows in the access log and the metrics', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-log-'));
    harness.onClose(async () => rmSync(folder, { recursive: true }));
    const path = join(folder, 'access.log');
    const { gateway } = await cached(
      harness,
      numbered({ 'cache-control': 'max-age=60' }),
      {},
      {},
      {
        accessLog: { kind: 'file', path },
      },
    );
    await call(gateway, '/');
    await call(gateway, '/');
    await call(gateway, '/', { method: 'POST', body: 'x' });
    const lines = await eventually(() => {
      const all = readFileSync(path, 'utf8').trim().split('\n');
      return all.length === 3 && all.map((line) => JSON.parse(line));
    });
    expect(lines.map(({ cache }) => cache)).toEqual(['miss', 'hit', undefined]);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/^sluice_cache_requests_total\{[^}]*result="hit"\} 1$/m);
    expect(body).toMatch(/^sluice_cache_responses 0$/m);
  });
});
