import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createPrometheusSource } from '../../../src/adapters/prometheus/prometheus-source.ts';
import type { MetricResult } from '../../../src/ports/metric-source.ts';
import {
  type MetricsTarget,
  type PrometheusServer,
  startMetricsTarget,
  startPrometheus,
} from '../../support/prometheus-server.ts';

const NEVER = new AbortController().signal;
const PATIENTLY = { timeout: 10_000 };
const LAMPS = Array.from({ length: 5 }, (_, n) => `lamps{room="r${n}"} ${n}\n`).join('');

function ask(url: string, promql = 'vector(1)', timeoutMs = 5000): Promise<MetricResult> {
  return createPrometheusSource({ url, timeoutMs, bearerToken: null }).query(promql, Date.now(), NEVER);
}

describe('createPrometheusSource on a real Prometheus', () => {
  let target: MetricsTarget;
  let prometheus: PrometheusServer;

  beforeAll(async () => {
    target = await startMetricsTarget();
    target.expose(LAMPS);
    prometheus = await startPrometheus({ targets: [target.address], scrapeIntervalMs: 100 });
    await vi.waitFor(
      async () => expect(await ask(prometheus.url, 'sum(lamps)')).toMatchObject({ kind: 'value' }),
      10_000,
    );
  });

  afterAll(async () => {
    await prometheus?.stop();
    await target?.close();
  });

  it('gives the value of the one series and the time that it was evaluated for', async () => {
    const atMs = Date.now() - 1;
    const source = createPrometheusSource({ url: `${prometheus.url}/`, timeoutMs: 5000, bearerToken: null });
    expect(await source.query('sum(lamps)', atMs, NEVER)).toEqual({
      kind: 'value',
      value: 10,
      sampledAtMs: atMs,
      warnings: [],
    });
  });

  it('takes a scalar as a value', async () => {
    expect(await ask(prometheus.url, 'scalar(sum(lamps)) * 2')).toMatchObject({ kind: 'value', value: 20 });
  });

  it('takes infinities as values and not-a-number as nan', async () => {
    expect(await ask(prometheus.url, 'vector(1) / 0')).toMatchObject({
      kind: 'value',
      value: Number.POSITIVE_INFINITY,
    });
    expect(await ask(prometheus.url, '-1 / 0')).toMatchObject({
      kind: 'value',
      value: Number.NEGATIVE_INFINITY,
    });
    expect(await ask(prometheus.url, 'vector(0) / 0')).toEqual({ kind: 'nan' });
    expect(await ask(prometheus.url, '0 / 0')).toEqual({ kind: 'nan' });
  });

  it('tells no series from a zero', async () => {
    expect(await ask(prometheus.url, 'lamps{room="cellar"}')).toEqual({ kind: 'empty' });
    expect(await ask(prometheus.url, 'lamps{room="r0"}')).toMatchObject({ kind: 'value', value: 0 });
  });

  it('is empty once the series has gone stale', async () => {
    target.expose(`${LAMPS}candles 1\n`);
    await expect.poll(() => ask(prometheus.url, 'candles'), PATIENTLY).toMatchObject({ kind: 'value' });
    target.expose(LAMPS);
    await expect.poll(() => ask(prometheus.url, 'candles'), PATIENTLY).toEqual({ kind: 'empty' });
  });

  it('names up to three of many series', async () => {
    expect(await ask(prometheus.url, 'lamps')).toEqual({
      kind: 'many-series',
      count: 5,
      examples: [0, 1, 2].map((n) => `lamps{instance="${target.address}", job="sluice", room="r${n}"}`),
    });
  });

  it('refuses results that are not one number', async () => {
    expect(await ask(prometheus.url, '"text"')).toEqual({
      kind: 'refused',
      detail: 'the query gives a string, not one number',
    });
    expect(await ask(prometheus.url, 'lamps{room="r1"}[1m]')).toEqual({
      kind: 'refused',
      detail: 'the query gives a matrix, not one number',
    });
  });

  it('passes on why a query was refused', async () => {
    const result = await ask(prometheus.url, 'sum(lamps');
    expect(result.kind).toBe('refused');
    expect(result).toMatchObject({ detail: expect.stringMatching(/HTTP 400: .*parse error/) });
    expect(await ask(prometheus.url, 'lamps * on(job) lamps')).toMatchObject({
      kind: 'refused',
      detail: expect.stringMatching(/HTTP 422: .*many-to-many/),
    });
  });

  it('is slow while Prometheus hangs, and answers again afterwards', async () => {
    await prometheus.pause();
    const startMs = performance.now();
    try {
      expect(await ask(prometheus.url, 'sum(lamps)', 300)).toEqual({ kind: 'slow', timeoutMs: 300 });
      expect(performance.now() - startMs).toBeLessThan(3000);
    } finally {
      prometheus.resume();
    }
    await expect
      .poll(() => ask(prometheus.url, 'sum(lamps)'), PATIENTLY)
      .toMatchObject({ kind: 'value', value: 10 });
  });

  it('is down once Prometheus is gone', async () => {
    const gone = await startPrometheus({ targets: [], scrapeIntervalMs: 1000 });
    expect(await ask(gone.url)).toMatchObject({ kind: 'value', value: 1 });
    await gone.stop();
    await gone.stop();
    expect(await ask(gone.url)).toMatchObject({
      kind: 'down',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('createPrometheusSource on servers that misbehave', () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no TCP port');
    return `http://127.0.0.1:${address.port}`;
  }

  function answering(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
    return serve((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body);
    });
  }

  it.each([
    [500, 'down'],
    [502, 'down'],
    [503, 'down'],
    [429, 'down'],
    [400, 'refused'],
    [401, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
  ])('takes a bare HTTP %i as %s', async (status, kind) => {
    const url = await answering(status, '<html>oh no</html>', { 'content-type': 'text/html' });
    expect(await ask(url)).toEqual({ kind, detail: `HTTP ${status}` });
  });

  it('takes the server’s own query time-out as slow', async () => {
    const body = JSON.stringify({ status: 'error', errorType: 'timeout', error: 'query timed out' });
    expect(await ask(await answering(503, body), 'up', 700)).toEqual({ kind: 'slow', timeoutMs: 700 });
  });

  it.each([
    ['a page', '<html>Sign in</html>', 'text/html'],
    ['other JSON', '{"hello":1}', 'application/json'],
    [
      'JSON that ends early',
      '{"status":"success","data":{"resultType":"vector","result":[',
      'application/json',
    ],
    ['nothing', '', 'application/json'],
    [
      'a result of an unknown kind',
      '{"status":"success","data":{"resultType":"tensor","result":[]}}',
      'application/json',
    ],
  ])('refuses %s with status 200', async (_what, body, contentType) => {
    expect(await ask(await answering(200, body, { 'content-type': contentType }))).toEqual({
      kind: 'refused',
      detail: `HTTP 200 with ${contentType}, which is no Prometheus query answer`,
    });
  });

  it('refuses a native histogram and a value that is no number', async () => {
    const vectorOf = (series: object) =>
      JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [series] } });
    const histogram = await answering(200, vectorOf({ metric: {}, histogram: [1, { count: '3' }] }));
    expect(await ask(histogram)).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('histogram'),
    });
    const wordy = await answering(200, vectorOf({ metric: {}, value: [1, 'many'] }));
    expect(await ask(wordy)).toEqual({ kind: 'refused', detail: '"many" is not a number' });
  });

  it('passes warnings on', async () => {
    const body = { status: 'success', data: { resultType: 'scalar', result: [1700000000.123, '4'] } };
    const url = await answering(200, JSON.stringify({ ...body, warnings: ['one store did not answer'] }));
    expect(await ask(url)).toEqual({
      kind: 'value',
      value: 4,
      sampledAtMs: 1_700_000_000_123,
      warnings: ['one store did not answer'],
    });
  });

  it('sends the query in a body, so that its length meets no limit on URLs, and the time-out along with it', async () => {
    const requests: { method: string | undefined; url: string | undefined; body: string }[] = [];
    const url = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      requests.push({ method: request.method, url: request.url, body });
      response.end();
    });
    const source = createPrometheusSource({ url: `${url}/prefix//`, timeoutMs: 700, bearerToken: null });
    const promql = `sum(up{job="a&b"})${' + 1'.repeat(10_000)}`;
    await source.query(promql, 1_700_000_000_500, NEVER);
    expect(requests).toMatchObject([{ method: 'POST', url: '/prefix/api/v1/query' }]);
    expect(Object.fromEntries(new URLSearchParams(requests[0]?.body))).toEqual({
      query: promql,
      time: '1700000000.5',
      timeout: '700ms',
    });
  });

  it('does not follow a redirect, and sends the bearer token nowhere else', async () => {
    let elsewhere = 0;
    const other = await serve((_request, response) => {
      elsewhere += 1;
      response.end();
    });
    let authorization: string | undefined;
    const url = await serve((request, response) => {
      authorization = request.headers.authorization;
      response.writeHead(307, { location: other }).end();
    });
    const source = createPrometheusSource({ url, timeoutMs: 1000, bearerToken: 'hunter2' });
    expect(await source.query('up', Date.now(), NEVER)).toEqual({
      kind: 'refused',
      detail: 'HTTP 307: redirects are not followed',
    });
    expect(authorization).toBe('Bearer hunter2');
    expect(elsewhere).toBe(0);
  });

  it('asks the server itself, whatever proxy the environment names', async () => {
    const url = await answering(200, '{"status":"success","data":{"resultType":"scalar","result":[1,"4"]}}');
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    vi.stubEnv('NO_PROXY', '');
    vi.stubEnv('no_proxy', '');
    try {
      expect(await ask(url)).toMatchObject({ kind: 'value', value: 4 });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('stops reading an answer that is too large', async () => {
    let sentBytes = 0;
    let closed = false;
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(65_536, ' ');
      const send = () => {
        while (!closed && sentBytes < 64 * 1024 * 1024) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', send);
        }
        response.end();
      };
      response.on('close', () => {
        closed = true;
      });
      send();
    });
    expect(await ask(url)).toEqual({ kind: 'refused', detail: 'the answer is larger than 4 MiB' });
    await expect.poll(() => closed, PATIENTLY).toBe(true);
    expect(sentBytes).toBeLessThan(32 * 1024 * 1024);
  });

  it('is slow when the answer drips past the time-out', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await ask(url, 'up', 200)).toEqual({ kind: 'slow', timeoutMs: 200 });
  });

  it('is down when the connection is reset or the name does not resolve', async () => {
    const url = await serve((request) => request.socket.destroy());
    expect(await ask(url)).toMatchObject({ kind: 'down' });
    expect(await ask('http://no-such-host.invalid:9090')).toMatchObject({ kind: 'down' });
  });

  it('ends at once when the caller cancels, before or during the query', async () => {
    let asked = 0;
    const url = await serve(() => {
      asked += 1;
    });
    const source = createPrometheusSource({ url, timeoutMs: 60_000, bearerToken: null });
    const caller = new AbortController();
    const answer = source.query('up', Date.now(), caller.signal);
    await expect.poll(() => asked, PATIENTLY).toBe(1);
    caller.abort();
    expect(await answer).toEqual({ kind: 'down', detail: 'the query was cancelled' });
    expect(await source.query('up', Date.now(), caller.signal)).toMatchObject({ kind: 'down' });
    expect(asked).toBe(1);
  });
});
