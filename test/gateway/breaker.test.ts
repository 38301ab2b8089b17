import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { BreakerPolicy } from '../../src/config/policies/breaker.ts';
import { evidenceGap } from '../../src/core/analysis/evidence-gap.ts';
import { emptyWindow, foldSummary, sumArm } from '../../src/core/analysis/evidence-window.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { plan } from '../core/rollout/plans.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw, splitOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const BREAKER: BreakerPolicy = {
  per: 'version',
  errorShare: 0.2,
  slow: null,
  windowMs: 10_000,
  minimum: 20,
  openMs: 60_000,
  recoverMs: 0,
};

function config(urls: Readonly<Record<string, string>>, breaker: BreakerPolicy, route: Partial<Route> = {}) {
  const versions = Object.fromEntries(Object.entries(urls).map(([version, url]) => [version, [url]]));
  return gatewayConfigOf([serviceOf('orders', versions)], {
    routes: [
      routeOf('orders', { name: 'orders', breaker, ...route }),
      routeOf('orders', { name: 'other', path: { kind: 'exact', path: '/other' } }),
    ],
  });
}

/** An upstream whose status can be changed. */
async function moody(
  status: number,
): Promise<{ url: string; status: number; calls: number; delayMs: number }> {
  const mood = { url: '', status, calls: 0, delayMs: 0 };
  const { url } = await harness.upstream((request, response) => {
    mood.calls += 1;
    request.resume();
    setTimeout(() => response.writeHead(mood.status).end('theirs'), mood.delayMs);
  });
  mood.url = url;
  return mood;
}

async function statuses(gateway: Gateway, count: number, path = '/'): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < count; i += 1) seen.push((await call(gateway, path)).status);
  return seen;
}

describe('a circuit breaker', () => {
  it('opens at its share of errors and refuses with 503, a reason and a time, without asking the upstream', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    expect(await statuses(gateway, 20)).toEqual(Array(20).fill(500));
    const reply = await call(gateway, '/');
    expect(reply.status).toBe(503);
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'BREAKER_OPEN', status: 503 });
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(50);
    expect(v1.calls).toBe(20);
  });

  it('leaves other routes of the service alone', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    await statuses(gateway, 20);
    expect(await statuses(gateway, 2, '/other')).toEqual([500, 500]);
  });

  it('stays closed for client errors', async () => {
    const v1 = await moody(404);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    expect(await statuses(gateway, 40)).toEqual(Array(40).fill(404));
  });

  it('opens for slow answers', async () => {
    const v1 = await moody(200);
    v1.delayMs = 30;
    const slow = { ...BREAKER, errorShare: null, slow: { overMs: 20, share: 0.5 } };
    const gateway = await harness.gateway(config({ v1: v1.url }, slow));
    await Promise.all(Array.from({ length: 20 }, () => call(gateway, '/')));
    expect((await call(gateway, '/')).status).toBe(503);
  });

  it('closes again by a probe once the upstream is well', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, { ...BREAKER, openMs: 100 }));
    await statuses(gateway, 21);
    v1.status = 200;
    const deadline = performance.now() + 5_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline) status = (await call(gateway, '/')).status;
    expect(status).toBe(200);
    expect(await statuses(gateway, 5)).toEqual(Array(5).fill(200));
  });

  it('refuses an upload before it is sent', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    await statuses(gateway, 20);
    const head = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n';
    const text = await raw(portOf(gateway), head);
    expect(text).toMatch(/^HTTP\/1.1 503 /);
    expect(text).toContain('BREAKER_OPEN');
  });

  it('that opens during a request passes on what the upstream said, instead of retrying into itself', async () => {
    const v1 = await moody(503);
    const retry = { attempts: 5, on: ['503'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER, { retry }));
    await statuses(gateway, 3);
    const reply = await call(gateway, '/');
    expect([reply.status, reply.body, v1.calls]).toEqual([503, 'theirs', 20]);
  });

  it('is kept over a reload, and starts anew when its limits change', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    await statuses(gateway, 20);
    await gateway.reload(config({ v1: v1.url }, BREAKER));
    expect((await call(gateway, '/')).status).toBe(503);
    await gateway.reload(config({ v1: v1.url }, { ...BREAKER, minimum: 30 }));
    expect((await call(gateway, '/')).status).toBe(500);
  });

  it('shows in the metrics', async () => {
    const v1 = await moody(500);
    const gateway = await harness.gateway(config({ v1: v1.url }, BREAKER));
    await statuses(gateway, 23);
    const { body } = await admin(gateway, '/metrics');
    const labels = '{service="orders",route="orders",version="v1",endpoint=""}';
    expect(body).toContain(`sluice_breaker_state${labels} 2`);
    expect(body).toContain(`sluice_breaker_trips_total${labels} 1`);
    expect(body).toContain(`sluice_breaker_refused_total${labels} 3`);
  });

  it('of one version leaves the other alone, is no attempt of it, and stops the rollout from counting time', async () => {
    const [v1, v2] = [await moody(200), await moody(500)];
    await harness.channel.write(splitOf('orders', 1, 5_000));
    const gateway = await harness.gateway(config({ v1: v1.url, v2: v2.url }, BREAKER));
    await eventually(() => gateway.splits()[0]?.split.revision === 1);
    for (let i = 0; i < 100; i += 1) await call(gateway, '/', { headers: { 'x-user-id': `user-${i}` } });
    const canary = () => harness.stream.summaries.map(({ versions }) => versions.v2);
    const sum = (read: (each: ReturnType<typeof canary>[number]) => number) =>
      canary().reduce((total, each) => total + read(each), 0);
    await eventually(() => sum((each) => each?.responses.outcomes.status5xx ?? 0) > 25);
    const refused = sum((each) => each?.refused ?? 0);
    expect(v2.calls).toBe(20);
    expect(sum((each) => each?.attempts.outcomes.status5xx ?? 0)).toBe(20);
    expect(refused).toBeGreaterThan(5);
    expect(sum((each) => each?.responses.outcomes.status5xx ?? 0)).toBe(20 + refused);
    const window = harness.stream.summaries.reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(window.buckets, 'v2')).toMatchObject({ bad: 20, total: 20 });
    const facts = {
      weightBp: 5_000,
      holdMs: 60_000,
      window,
      silentMs: 0,
      silentGateways: [],
      lostNow: 0,
      checks: [],
    };
    expect(evidenceGap({ plan: plan(), ...facts })?.cause).toBe('breaker-open');
  });
});

describe('a circuit breaker per endpoint', () => {
  it('leaves the failing endpoint out and asks the others, without refusing anybody', async () => {
    const good = await moody(200);
    const bad = await moody(500);
    const service = serviceOf('orders', { v1: [bad.url, good.url] });
    const gateway = await harness.gateway(
      gatewayConfigOf([service], {
        routes: [routeOf('orders', { breaker: { ...BREAKER, per: 'endpoint' } })],
      }),
    );
    await statuses(gateway, 40);
    expect(bad.calls).toBe(20);
    expect(new Set(await statuses(gateway, 20))).toEqual(new Set([200]));
    expect([bad.calls, good.calls]).toEqual([20, 40]);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain(
      `sluice_breaker_state{service="orders",route="orders-all",version="v1",endpoint="${bad.url}"} 2`,
    );
  });

  it('refuses when none is left', async () => {
    const one = await moody(500);
    const two = await moody(500);
    const service = serviceOf('orders', { v1: [one.url, two.url] });
    const gateway = await harness.gateway(
      gatewayConfigOf([service], {
        routes: [routeOf('orders', { breaker: { ...BREAKER, per: 'endpoint' } })],
      }),
    );
    expect((await statuses(gateway, 40)).at(-1)).toBe(500);
    const refused = await call(gateway, '/');
    expect([refused.status, refused.headers['retry-after'], one.calls + two.calls]).toEqual([503, '60', 40]);
  });
});
