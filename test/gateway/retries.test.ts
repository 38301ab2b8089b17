import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nobody, rude, startImpatient, TIMEOUT } from '../support/failing-upstream.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('retries', () => {
  const retry = {
    attempts: 2,
    on: ['connect', 'reset', '503'] as const,
    baseMs: 5,
    maxMs: 20,
    bufferBytes: 1_000,
  };

  it('go to another endpoint of the same version and are counted per attempt', async () => {
    const good = await harness.named('good');
    const gateway = await startImpatient(harness, [await nobody(), good.url], { retry });
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('good');
    await eventually(() => harness.outcomes('v1', 'responses', 'status2xx') === 6);
    expect(harness.outcomes('v1', 'attempts', 'connectError')).toBeGreaterThanOrEqual(3);
    expect(harness.outcomes('v1', 'attempts', 'status2xx')).toBe(6);
  });

  it('send a kept body again, with a new span in the same trace', async () => {
    let calls = 0;
    const upstream = await harness.upstream((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else request.pipe(response);
    });
    const gateway = await startImpatient(harness, [upstream.url], { retry });
    expect((await call(gateway, '/', { method: 'PUT', body: 'hello' })).body).toBe('hello');
    const [first, second] = upstream.seen.map(({ headers }) => String(headers.traceparent).split('-'));
    expect(second?.[1]).toBe(first?.[1]);
    expect(second?.[2]).not.toBe(first?.[2]);
  });

  it('send a chunked body again that was kept while it streamed', async () => {
    let calls = 0;
    const upstream = await harness.upstream((request, response) => {
      calls += 1;
      if (calls === 1) request.on('data', () => request.socket.destroy());
      else request.pipe(response);
    });
    const gateway = await startImpatient(harness, [upstream.url], { retry });
    const text = await raw(
      portOf(gateway),
      'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      (socket) => setTimeout(() => socket.write('1\r\n!\r\n0\r\n\r\n'), 100),
    );
    expect(text).toContain('hello');
    expect(calls).toBe(2);
  });

  it('do not happen for a body that is larger than what is kept', async () => {
    const upstream = await harness.upstream((request) => request.on('data', () => request.socket.destroy()));
    const gateway = await startImpatient(harness, [upstream.url], { retry });
    const reply = await call(gateway, '/', { method: 'PUT', body: Buffer.alloc(100_000) });
    expect(reply.status).toBe(502);
    expect(upstream.seen).toHaveLength(1);
  });

  it.each([429, 500] as const)(
    'happen on %d where the route asks for it, and not otherwise',
    async (status) => {
      let calls = 0;
      const upstream = await harness.upstream((_request, response) => {
        calls += 1;
        response.writeHead(calls % 2 === 1 ? status : 200).end();
      });
      const asked = await startImpatient(harness, [upstream.url], {
        retry: { ...retry, on: [String(status) as '429' | '500'] },
      });
      expect((await call(asked, '/')).status).toBe(200);
      const usual = await startImpatient(harness, [upstream.url], { retry });
      expect((await call(usual, '/')).status).toBe(status);
      expect(calls).toBe(3);
    },
  );

  it('are counted in the metrics, and refused beyond the budget of the service', async () => {
    const upstream = await harness.upstream((_request, response) => response.writeHead(503).end());
    const service = serviceOf(
      'orders',
      { v1: [upstream.url] },
      { retryBudget: { share: 0.5, perSecond: 0 } },
    );
    const route = routeOf('orders', { retry: { ...retry, attempts: 1 } });
    const gateway = await harness.gateway(gatewayConfigOf([service], { routes: [route] }));
    for (let i = 0; i < 10; i += 1) await call(gateway, '/');
    const text = (await admin(gateway, '/metrics')).body;
    const count = (labels: string): number =>
      Number(new RegExp(`^sluice_retries_total\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1]);
    const made = count('sluice_service="orders",kind="retry",outcome="made"');
    expect([made, count('sluice_service="orders",kind="retry",outcome="refused"')]).toEqual([5, 5]);
    expect(upstream.seen).toHaveLength(15);
  });

  it('do not happen for POST', async () => {
    const upstream = await harness.upstream((request) => request.socket.destroy());
    const reply = await call(await startImpatient(harness, [upstream.url], { retry }), '/', {
      method: 'POST',
      body: 'x',
    });
    expect(reply.status).toBe(502);
    expect(upstream.seen).toHaveLength(1);
  });

  it('end with the answer of the last attempt', async () => {
    const upstream = await harness.upstream((_request, response) => response.writeHead(503).end('busy'));
    const reply = await call(await startImpatient(harness, [upstream.url], { retry }), '/');
    expect([reply.status, reply.body]).toEqual([503, 'busy']);
    expect(upstream.seen).toHaveLength(3);
    await eventually(
      () =>
        harness.outcomes('v1', 'attempts', 'status5xx') === 3 &&
        harness.outcomes('v1', 'responses', 'status5xx') === 1,
    );
  });

  it('keep within the total time', async () => {
    const gateway = await startImpatient(harness, [await rude(harness, () => {})], {
      retry: { ...retry, attempts: 5, on: ['timeout'] },
      timeout: { ...TIMEOUT, totalMs: 700 },
    });
    const startedMs = performance.now();
    expect((await call(gateway, '/')).status).toBe(504);
    expect(performance.now() - startedMs).toBeGreaterThan(650);
    // Three of 300 ms each have begun by then; without it there would be six.
    await eventually(() => harness.outcomes('v1', 'responses', 'status5xx') === 1);
    expect(harness.outcomes('v1', 'attempts', 'timeout')).toBeLessThanOrEqual(3);
  });
});
