import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CachePolicy, GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import { completeCache } from '../../src/config/policies/cache.ts';
import type { OutcomeCounts } from '../../src/core/domain/telemetry.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Reply,
  raw,
  splitOf,
} from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

function policyOf(changes: Partial<CachePolicy> = {}): CachePolicy {
  const policy = completeCache({});
  if (policy === null) throw new Error('an empty policy is a policy');
  return { ...policy, ...changes };
}

type Answer = (request: IncomingMessage, response: ServerResponse, call: number) => void;

/** A service whose versions all answer by `answer`, a route that caches and one below /plain that does not. */
async function cached(
  answer: Answer,
  policy: Partial<CachePolicy> = {},
  route: Partial<Route> = {},
  config: Partial<GatewayConfig> = {},
): Promise<{
  gateway: Gateway;
  calls: () => number;
  seen: readonly IncomingMessage[];
  config: GatewayConfig;
}> {
  let calls = 0;
  const upstream = await harness.upstream((request, response) => {
    calls += 1;
    request.resume();
    answer(request, response, calls);
  });
  const service = serviceOf('shop', { v1: [upstream.url], v2: [`${upstream.url}`] });
  const whole = gatewayConfigOf([service], {
    routes: [
      routeOf('shop', { name: 'cached', methods: ['GET', 'HEAD'], cache: policyOf(policy), ...route }),
      routeOf('shop', { name: 'plain', methods: ['POST', 'PUT', 'DELETE'] }),
    ],
    ...config,
  });
  const gateway = await harness.gateway(whole);
  return { gateway, calls: () => calls, seen: upstream.seen, config: whole };
}

/** Sends the number of the call, with the given fields. */
function numbered(fields: Record<string, string | string[]>): Answer {
  return (_request, response, count) => response.writeHead(200, fields).end(`call ${count}`);
}

function sumOf(version: string, view: 'attempts' | 'responses', outcome: keyof OutcomeCounts): number {
  return harness.stream.summaries.reduce(
    (total, { versions }) => total + (versions[version]?.[view].outcomes[outcome] ?? 0),
    0,
  );
}

const status = (reply: Reply): string => String(reply.headers['cache-status']);

describe('a route that caches', () => {
  it('answers a second request from the store, with Age and Cache-Status', async () => {
    const { gateway, calls } = await cached(numbered({ 'cache-control': 'max-age=60', 'x-a': '1' }));
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
    const { gateway } = await cached(numbered({ 'cache-control': 'max-age=60' }));
    for (let i = 0; i < 10; i += 1) await call(gateway, '/');
    await eventually(() => sumOf('v1', 'responses', 'status2xx') === 10);
    expect(sumOf('v1', 'attempts', 'status2xx')).toBe(1);
  });

  it('keeps versions apart', async () => {
    const { gateway, calls } = await cached(numbered({ 'cache-control': 'max-age=60' }));
    const ask = (user: string) => call(gateway, '/', { headers: { 'x-user-id': user } });
    await ask('u');
    await harness.channel.write(splitOf('shop', 1, 10_000));
    await eventually(() => gateway.splits()[0]?.split.revision === 1);
    expect([(await ask('u')).body, (await ask('u')).body, calls()]).toEqual(['call 2', 'call 2', 2]);
  });

  it('lets one request fetch what many ask for at the same time', async () => {
    const { gateway, calls } = await cached((_request, response, count) => {
      setTimeout(() => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`call ${count}`), 150);
    });
    const replies = await Promise.all(Array.from({ length: 20 }, () => call(gateway, '/')));
    expect(calls()).toBe(1);
    expect(new Set(replies.map(({ body }) => body))).toEqual(new Set(['call 1']));
    expect(replies.filter((reply) => status(reply).includes('collapsed'))).toHaveLength(19);
  });

  it('does not make requests wait for each other where nothing can be stored', async () => {
    let open = 0;
    let most = 0;
    const { gateway, calls } = await cached((_request, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        response.writeHead(200, { 'cache-control': 'private' }).end();
      }, 100);
    });
    await Promise.all(Array.from({ length: 10 }, () => call(gateway, '/')));
    expect(calls()).toBe(10);
    most = 0;
    await Promise.all(Array.from({ length: 10 }, () => call(gateway, '/')));
    expect([calls(), most]).toEqual([20, 10]);
  });

  it('lets the next request fetch when the client that others waited for goes away', async () => {
    const { gateway, calls } = await cached((_request, response, count) => {
      setTimeout(() => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`call ${count}`), 300);
    });
    const leader = raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      setTimeout(() => socket.destroy(), 100);
    });
    await eventually(() => calls() === 1);
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => call(gateway, '/', { headers: { host: 'a' } })),
    );
    await leader;
    expect(replies.map(({ body }) => body)).toEqual(Array(5).fill('call 2'));
  });

  it('serves stale within stale-while-revalidate and renews once, as an attempt without a response', async () => {
    const { gateway, calls, seen } = await cached((request, response, count) => {
      const fields = { 'cache-control': 'max-age=0, stale-while-revalidate=60', etag: '"a"' };
      if (request.headers['if-none-match'] === '"a"') {
        setTimeout(
          () => response.writeHead(304, { ...fields, 'cache-control': 'max-age=60', 'x-n': 'new' }).end(),
          100,
        );
      } else response.writeHead(200, fields).end(`call ${count}`);
    });
    await call(gateway, '/');
    const stale = await Promise.all(Array.from({ length: 10 }, () => call(gateway, '/')));
    expect(stale.map(({ body }) => body)).toEqual(Array(10).fill('call 1'));
    expect(stale.map(status)).toEqual(
      Array(10).fill(expect.stringMatching(/hit; ttl=-?\d+; detail=stale-while-revalidate/)),
    );
    await eventually(() => calls() === 2);
    expect(seen[1]?.headers['if-none-match']).toBe('"a"');
    let renewed = await call(gateway, '/');
    const deadline = performance.now() + 3_000;
    while (renewed.headers['x-n'] !== 'new' && performance.now() < deadline)
      renewed = await call(gateway, '/');
    expect(renewed.headers['x-n']).toBe('new');
    expect(calls()).toBe(2);
    await eventually(() => sumOf('v1', 'attempts', 'status3xx') === 1);
    await eventually(() => sumOf('v1', 'responses', 'status2xx') >= 12);
    expect(sumOf('v1', 'responses', 'status3xx') + sumOf('v1', 'responses', 'clientAborted')).toBe(0);
  });

  it.each<[string, Answer, keyof OutcomeCounts]>([
    ['a 503', (_request, response) => response.writeHead(503).end('down'), 'status5xx'],
    ['a reset', (request) => request.socket.destroy(), 'reset'],
  ])('serves stale instead of %s, which still counts against the version', async (_title, fail, outcome) => {
    const { gateway } = await cached((request, response, count) => {
      if (count === 1)
        response.writeHead(200, { 'cache-control': 'max-age=0, stale-if-error=60' }).end('good');
      else fail(request, response, count);
    });
    await call(gateway, '/');
    const reply = await call(gateway, '/');
    expect([reply.status, reply.body]).toEqual([200, 'good']);
    expect(status(reply)).toContain('detail=stale-if-error');
    await eventually(() => sumOf('v1', 'attempts', outcome) === 1);
    expect(sumOf('v1', 'responses', 'status2xx')).toBe(2);
    expect(sumOf('v1', 'attempts', 'clientAborted')).toBe(0);
  });

  it('serves stale instead of a breaker’s refusal', async () => {
    const breaker = {
      errorShare: 0.2,
      slow: null,
      windowMs: 60_000,
      minimum: 20,
      openMs: 60_000,
      recoverMs: 0,
    };
    const { gateway, calls } = await cached(
      (request, response) => {
        if (request.url === '/good') response.writeHead(200, { 'cache-control': 'max-age=0' }).end('good');
        else response.writeHead(500).end();
      },
      {},
      { breaker },
    );
    await call(gateway, '/good');
    for (let i = 0; i < 25; i += 1) await call(gateway, `/bad?${i}`);
    const asked = calls();
    expect([(await call(gateway, '/good')).body, calls()]).toEqual(['good', asked]);
    expect((await call(gateway, '/bad')).status).toBe(503);
  });

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=0'])(
    'passes the error on where %s forbids stale',
    async (directive) => {
      const { gateway } = await cached((_request, response, count) => {
        if (count > 1) response.writeHead(503).end('down');
        else response.writeHead(200, { 'cache-control': `max-age=0, ${directive}`, etag: '"a"' }).end('good');
      });
      await call(gateway, '/');
      expect((await call(gateway, '/')).status).toBe(503);
    },
  );

  it('asks whether a stale response still holds, and takes over what the 304 says', async () => {
    const { gateway, calls } = await cached((request, response) => {
      if (request.headers['if-none-match'] === '"a"') {
        response.writeHead(304, { etag: '"a"', 'cache-control': 'max-age=60', 'x-v': '2' }).end();
      } else response.writeHead(200, { etag: '"a"', 'cache-control': 'no-cache', 'x-v': '1' }).end('body');
    });
    await call(gateway, '/');
    const renewed = await call(gateway, '/');
    expect([renewed.status, renewed.body, renewed.headers['x-v']]).toEqual([200, 'body', '2']);
    expect(status(renewed)).toContain('fwd=stale; fwd-status=304');
    expect(status(await call(gateway, '/'))).toContain('hit');
    expect(calls()).toBe(2);
  });

  it('answers conditions, ranges and HEAD from a stored GET', async () => {
    const { gateway, calls } = await cached(numbered({ 'cache-control': 'max-age=60', etag: '"a"' }));
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

  it('never stores a part as the whole, nor a body that broke off', async () => {
    const { gateway, calls } = await cached((request, response, count) => {
      const fields = { 'cache-control': 'max-age=60' };
      if (request.headers.range !== undefined) {
        response.writeHead(206, { ...fields, 'content-range': 'bytes 0-1/6' }).end('ca');
      } else if (count === 2) {
        response.writeHead(200, { ...fields, 'content-length': '100' });
        response.write('half');
        setTimeout(() => response.destroy(), 50);
      } else response.writeHead(200, fields).end(`call ${count}`);
    });
    expect((await call(gateway, '/', { headers: { range: 'bytes=0-1' } })).body).toBe('ca');
    await expect(call(gateway, '/')).rejects.toThrow();
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 3', 3]);
  });

  it.each<[string, Record<string, string | string[]>, Record<string, string>]>([
    ['private', { 'cache-control': 'private' }, {}],
    ['no-store', { 'cache-control': 'no-store, max-age=60' }, {}],
    ['a Set-Cookie', { 'set-cookie': 'session=1' }, {}],
    ['Vary: *', { vary: '*' }, {}],
    ['a request with Authorization', {}, { authorization: 'Bearer x' }],
    ['a request with a cookie', {}, { cookie: 'session=1' }],
  ])('whose policy sets a lifetime still does not store for %s', async (_title, fields, headers) => {
    const { gateway, calls } = await cached(numbered(fields), { ttlMs: 60_000 });
    await call(gateway, '/', { headers });
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 2', 2]);
  });

  it('whose policy sets a lifetime needs no word of the upstream', async () => {
    const sticky = [{ cookie: 'sluice_id' }, 'ip'] as const;
    const { gateway, calls, config } = await cached(numbered({ 'cache-control': 'max-age=0' }), {
      ttlMs: 60_000,
    });
    await call(gateway, '/');
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 1', 1]);
    // The gateway's own cookie makes a request nobody's; each client still gets its own.
    const shop = config.services.shop;
    if (shop === undefined) throw new Error('there is a shop');
    await gateway.reload({ ...config, services: { shop: { ...shop, sticky } } });
    const [one, two] = [await call(gateway, '/b'), await call(gateway, '/b')];
    expect(two.body).toBe(one.body);
    expect(two.headers['set-cookie']).not.toEqual(one.headers['set-cookie']);
    const known = { cookie: String(one.headers['set-cookie']).split(';')[0] ?? '' };
    expect((await call(gateway, '/c', { headers: known })).body).toBe((await call(gateway, '/c')).body);
  });

  it('is dropped by a successful unsafe request on any route, with what its response names', async () => {
    const { gateway, calls } = await cached((request, response, count) => {
      if (request.method !== 'GET') {
        const code = request.url === '/fails' ? 500 : 201;
        response.writeHead(code, { location: '/list', 'content-location': 'http://elsewhere/other' }).end();
      } else response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`call ${count}`);
    });
    const paths = ['/item?b=1&a=2', '/list', '/other', '/fails'];
    for (const path of paths) await call(gateway, path);
    await call(gateway, '/item?a=2&b=1', { method: 'POST', body: 'x' });
    await call(gateway, '/fails', { method: 'DELETE' });
    expect(calls()).toBe(6);
    for (const path of paths) await call(gateway, path);
    expect(calls()).toBe(8);
  });

  it('does not store what was on its way when an unsafe request outdated it', async () => {
    const held: { release: () => void } = { release: () => {} };
    const { gateway } = await cached((request, response, count) => {
      if (request.method === 'PUT') response.writeHead(204).end();
      else {
        response.writeHead(200, { 'cache-control': 'max-age=60' });
        response.write(`call ${count}`);
        held.release = () => response.end();
        if (count > 1) response.end();
      }
    });
    // Resolves with the head; the body is still on its way.
    const slow = await fetch(`http://127.0.0.1:${portOf(gateway)}/`);
    await call(gateway, '/', { method: 'PUT', body: 'x', headers: { host: `127.0.0.1:${portOf(gateway)}` } });
    held.release();
    expect(await slow.text()).toBe('call 1');
    expect((await call(gateway, '/')).body).toBe('call 3');
  });

  it('streams a body that is too large, and keeps within its budget', async () => {
    const { gateway, calls } = await cached(
      (request, response) => {
        response.writeHead(200, { 'cache-control': 'max-age=60' });
        response.end(Buffer.alloc(request.url === '/large' ? 200_000 : 30_000, 'x'));
      },
      { maxBytes: 100_000 },
      {},
      { cacheBytes: 100_000 },
    );
    expect((await call(gateway, '/large')).body).toHaveLength(200_000);
    await call(gateway, '/large');
    expect(calls()).toBe(2);
    for (const path of ['/1', '/2', '/3', '/1', '/4', '/1']) await call(gateway, path);
    expect(calls()).toBe(6);
    await call(gateway, '/2');
    expect(calls()).toBe(7);
    const { body } = await admin(gateway, '/metrics');
    expect(Number(/^sluice_cache_bytes (\d+)$/m.exec(body)?.[1])).toBeLessThanOrEqual(100_000);
    expect(body).toMatch(/^sluice_cache_evictions_total [1-9]/m);
  });

  it('tells queries apart as its policy says and sends them on as they came', async () => {
    const { gateway, calls, seen } = await cached(numbered({ 'cache-control': 'max-age=60' }), {
      query: { sort: true, exclude: ['utm_*'] },
      headers: ['x-region'],
    });
    const ask = (path: string, region = 'eu') => call(gateway, path, { headers: { 'x-region': region } });
    await ask('/?b=1&utm_source=x&a=2');
    await ask('/?a=2&b=1');
    expect(calls()).toBe(1);
    expect(seen[0]?.url).toBe('/?b=1&utm_source=x&a=2');
    await ask('/?a=2&b=1', 'us');
    expect(calls()).toBe(2);
  });

  it('obeys the directives of clients, unless its policy says otherwise', async () => {
    const ask = (gateway: Gateway, text: string) =>
      call(gateway, '/', { headers: { 'cache-control': text } });
    const obeying = await cached(numbered({ 'cache-control': 'max-age=60' }));
    const none = await ask(obeying.gateway, 'only-if-cached');
    expect([none.status, JSON.parse(none.body).code]).toEqual([504, 'NOT_CACHED']);
    await ask(obeying.gateway, 'max-age=60');
    await ask(obeying.gateway, 'no-cache');
    await ask(obeying.gateway, 'no-store');
    expect(obeying.calls()).toBe(3);
    const deaf = await cached(numbered({ 'cache-control': 'max-age=60' }), { clientDirectives: false });
    for (const text of ['no-cache', 'no-cache', 'no-store']) await ask(deaf.gateway, text);
    expect(deaf.calls()).toBe(1);
  });

  it('leaves conditions that only the origin can judge, and requests with bodies, to the upstream', async () => {
    const { gateway, calls } = await cached(numbered({ 'cache-control': 'max-age=60' }));
    await call(gateway, '/');
    const reply = await call(gateway, '/', { headers: { 'if-match': '"a"' } });
    expect(status(reply)).toBe('sluice; fwd=bypass');
    await call(gateway, '/', { body: 'x' });
    expect(calls()).toBe(3);
  });

  it('passes early hints on and stores none of them', async () => {
    const { gateway, calls } = await cached((_request, response) => {
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

  it('keeps its store over a reload', async () => {
    const { gateway, calls, config } = await cached(numbered({ 'cache-control': 'max-age=60' }));
    await call(gateway, '/');
    expect(await gateway.reload(config)).toEqual({ ok: true });
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 1', 1]);
    await gateway.reload({ ...config, cacheBytes: 65_536 });
    await gateway.reload({ ...config, cacheBytes: 0 });
    expect((await call(gateway, '/')).body).toBe('call 2');
  });

  it('shows in the access log and the metrics', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-log-'));
    harness.onClose(async () => rmSync(folder, { recursive: true }));
    const path = join(folder, 'access.log');
    const { gateway } = await cached(
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
