import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OutcomeCounts } from '../../src/core/domain/telemetry.ts';
import { type Answer, cached, status } from '../support/caching-gateway.ts';
import { call, eventually, GatewayHarness } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('a route that caches, once a response is stale,', () => {
  it('serves stale within stale-while-revalidate and renews once, as an attempt without a response', async () => {
    const held: { renew: () => void } = { renew: () => {} };
    const { gateway, calls, seen } = await cached(harness, (request, response, count) => {
      const fields = { 'cache-control': 'max-age=0, stale-while-revalidate=60', etag: '"a"' };
      if (request.headers['if-none-match'] === '"a"') {
        const renewed = { ...fields, 'cache-control': 'max-age=60', 'x-n': 'new' };
        held.renew = () => response.writeHead(304, renewed).end();
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
    held.renew();
    let renewed = await call(gateway, '/');
    const deadline = performance.now() + 3_000;
    while (renewed.headers['x-n'] !== 'new' && performance.now() < deadline)
      renewed = await call(gateway, '/');
    expect(renewed.headers['x-n']).toBe('new');
    expect(calls()).toBe(2);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status3xx') === 1);
    await eventually(() => harness.outcomes('v1', 'responses', 'status2xx') >= 12);
    expect(
      harness.outcomes('v1', 'responses', 'status3xx') + harness.outcomes('v1', 'responses', 'clientAborted'),
    ).toBe(0);
  });

  it('asks with a trace of its own, whatever the client sends as values', async () => {
    const { gateway, seen } = await cached(harness, (_request, response) =>
      response.writeHead(200, { 'cache-control': 'max-age=0', etag: '"a"' }).end(),
    );
    const headers = { 'x-first': 'traceparent', 'x-second': 'kept' };
    for (let i = 0; i < 2; i += 1) await call(gateway, '/', { headers });
    expect(seen[1]?.headers).toMatchObject({ ...headers, 'if-none-match': '"a"' });
    const [first, second] = seen.map((request) => request.headers.traceparent);
    expect(second).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(second).not.toBe(first);
  });

  it.each<[string, Answer, keyof OutcomeCounts]>([
    ['a 503', (_request, response) => response.writeHead(503).end('down'), 'status5xx'],
    ['a reset', (request) => request.socket.destroy(), 'reset'],
  ])('serves stale instead of %s, which still counts against the version', async (_title, fail, outcome) => {
    const { gateway } = await cached(harness, (request, response, count) => {
      if (count === 1)
        response.writeHead(200, { 'cache-control': 'max-age=0, stale-if-error=60' }).end('good');
      else fail(request, response, count);
    });
    await call(gateway, '/');
    const reply = await call(gateway, '/');
    expect([reply.status, reply.body]).toEqual([200, 'good']);
    expect(status(reply)).toContain('detail=stale-if-error');
    await eventually(() => harness.outcomes('v1', 'attempts', outcome) === 1);
    expect(harness.outcomes('v1', 'responses', 'status2xx')).toBe(2);
    expect(harness.outcomes('v1', 'attempts', 'clientAborted')).toBe(0);
  });

  it('serves stale instead of a breaker’s refusal', async () => {
    const breaker = {
      per: 'version' as const,
      errorShare: 0.2,
      slow: null,
      windowMs: 60_000,
      minimum: 20,
      openMs: 60_000,
      recoverMs: 0,
    };
    const { gateway, calls } = await cached(
      harness,
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
      const { gateway } = await cached(harness, (_request, response, count) => {
        if (count > 1) response.writeHead(503).end('down');
        else response.writeHead(200, { 'cache-control': `max-age=0, ${directive}`, etag: '"a"' }).end('good');
      });
      await call(gateway, '/');
      expect((await call(gateway, '/')).status).toBe(503);
    },
  );

  it('asks whether a stale response still holds, and takes over what the 304 says', async () => {
    const { gateway, calls } = await cached(harness, (request, response) => {
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
});
