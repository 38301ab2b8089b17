import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import type { AdaptivePolicy } from '../../src/config/policies/adaptive.ts';
import { evidenceGap } from '../../src/core/analysis/evidence-gap.ts';
import { emptyWindow, foldSummary, sumArm } from '../../src/core/analysis/evidence-window.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { plan } from '../core/rollout/plans.ts';
import { moody } from '../support/failing-upstream.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Reply,
  type Upstream,
} from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let held: { readonly path: string; readonly response: ServerResponse }[];
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  held = [];
  upstream = await harness.upstream((request, response) => {
    request.resume();
    held.push({ path: request.url ?? '', response });
  });
});
afterEach(() => harness.close());

const HEADER_PRIORITY: AdaptivePolicy['priority'] = {
  from: { header: 'x-priority' },
  values: new Map([
    ['gold', 'high'],
    ['batch', 'low'],
  ]),
  otherwise: 'normal',
};

/** One at a time, one may wait. */
const ONE: AdaptivePolicy = {
  limits: { min: 1, max: 1, initial: 1, queueSize: 1 },
  waitMs: 20_000,
  priority: HEADER_PRIORITY,
};

function configOf(adaptive: AdaptivePolicy, changes: Partial<Route> = {}, url = upstream.url): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [url] })], {
    routes: [routeOf('orders', { name: 'orders', adaptive, ...changes })],
  });
}

function ask(gateway: Gateway, path: string, priority = ''): Promise<Reply> {
  return call(gateway, path, { headers: priority === '' ? {} : { 'x-priority': priority } });
}

/** Value of a series whose labels contain all of `labels`. */
async function metric(gateway: Gateway, name: string, ...labels: string[]): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  const line = body
    .split('\n')
    .find((each) => each.startsWith(`${name}{`) && labels.every((label) => each.includes(label)));
  return Number(line?.split(' ').at(-1));
}

async function untilMetric(
  gateway: Gateway,
  value: number,
  name: string,
  ...labels: string[]
): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const now = await metric(gateway, name, ...labels);
    if (now === value) return;
    if (performance.now() > deadlineMs) throw new Error(`${name} is ${now}, not ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const outcome = (gateway: Gateway, priority: string, what: string): Promise<number> =>
  metric(gateway, 'sluice_adaptive_requests_total', `priority="${priority}"`, `outcome="${what}"`);

/** Answers the oldest request that the upstream holds, once there is one. */
async function answerNext(): Promise<string> {
  const next = await eventually(() => held.shift());
  next.response.end('done');
  return next.path;
}

describe('an adaptive limit', () => {
  it('lets requests beyond it wait, and the important ones go first', async () => {
    const gateway = await harness.gateway(configOf({ ...ONE, limits: { ...ONE.limits, queueSize: 3 } }));
    const replies = [ask(gateway, '/first')];
    await eventually(() => held.length === 1);
    for (const [index, [path, priority]] of [
      ['/low', 'batch'],
      ['/normal', ''],
      ['/high', 'gold'],
    ].entries()) {
      replies.push(ask(gateway, path ?? '', priority));
      await untilMetric(gateway, index + 1, 'sluice_adaptive_queued');
    }
    expect(held).toHaveLength(1);
    const order = [await answerNext(), await answerNext(), await answerNext(), await answerNext()];
    expect(order).toEqual(['/first', '/high', '/normal', '/low']);
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await outcome(gateway, 'low', 'queued')).toBe(1);
    await untilMetric(gateway, 0, 'sluice_adaptive_in_flight');
  });

  it('refuses low priority first when the queue is full: 503, a code and a time', async () => {
    const log = accessFile(harness);
    const gateway = await harness.gateway({ ...configOf(ONE), accessLog: log.config });
    const first = ask(gateway, '/first');
    await eventually(() => held.length === 1);
    const low = ask(gateway, '/low', 'batch');
    await untilMetric(gateway, 1, 'sluice_adaptive_queued');
    const lowToo = await ask(gateway, '/low-too', 'batch');
    expect([lowToo.status, lowToo.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(lowToo.body)).toMatchObject({ code: 'OVERLOADED', status: 503 });
    const high = ask(gateway, '/high', 'gold');
    // Its seat is gone.
    expect((await low).status).toBe(503);
    expect([await answerNext(), await answerNext()]).toEqual(['/first', '/high']);
    expect([(await first).status, (await high).status]).toEqual([200, 200]);
    expect([await outcome(gateway, 'low', 'full'), await outcome(gateway, 'high', 'full')]).toEqual([2, 0]);
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/first', '/high']);
    const lines = await log.lines(4);
    expect(lines.map(({ priority, adaptive, error }) => [priority, adaptive, error]).sort()).toEqual([
      ['high', 'queued', ''],
      ['low', 'full', 'OVERLOADED'],
      ['low', 'full', 'OVERLOADED'],
      ['normal', 'admitted', ''],
    ]);
  });

  it('refuses what has waited in vain, and an answer goes to whoever still waits', async () => {
    const gateway = await harness.gateway(configOf({ ...ONE, waitMs: 50 }));
    const first = ask(gateway, '/first');
    await eventually(() => held.length === 1);
    expect((await ask(gateway, '/second')).status).toBe(503);
    expect(await outcome(gateway, 'normal', 'expired')).toBe(1);
    await answerNext();
    expect((await first).status).toBe(200);
    const third = ask(gateway, '/third');
    expect(await answerNext()).toBe('/third');
    expect((await third).status).toBe(200);
  });

  it('forgets a client that went away while it waited', async () => {
    const gateway = await harness.gateway(configOf(ONE));
    const first = ask(gateway, '/first');
    await eventually(() => held.length === 1);
    const socket = connect(portOf(gateway), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /gone HTTP/1.1\r\nHost: a\r\n\r\n');
    await untilMetric(gateway, 1, 'sluice_adaptive_queued');
    socket.destroy();
    await untilMetric(gateway, 0, 'sluice_adaptive_queued');
    const after = ask(gateway, '/after');
    expect([await answerNext(), await answerNext()]).toEqual(['/first', '/after']);
    await Promise.all([first, after]);
    expect(await outcome(gateway, 'normal', 'left')).toBe(1);
  });

  it('blames no version for what it refused, but the rollout has no evidence meanwhile', async () => {
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v2: [upstream.url] })], {
        routes: [routeOf('orders', { adaptive: { ...ONE, limits: { ...ONE.limits, queueSize: 0 } } })],
      }),
    );
    const first = ask(gateway, '/first');
    await eventually(() => held.length === 1);
    for (let i = 0; i < 5; i += 1) expect((await ask(gateway, '/more', 'gold')).status).toBe(503);
    await answerNext();
    await first;
    await gateway.close();
    const refused = harness.stream.summaries.reduce(
      (sum, { versions }) => sum + (versions.v2?.refused ?? 0),
      0,
    );
    expect(refused).toBe(5);
    expect(harness.outcomes('v2', 'attempts', 'status5xx')).toBe(0);
    expect(harness.outcomes('v2', 'attempts', 'status2xx')).toBe(1);
    expect(harness.outcomes('v2', 'responses', 'status5xx')).toBe(5);
    const window = harness.stream.summaries.reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(window.buckets, 'v2')).toMatchObject({ bad: 0, total: 1 });
    const gap = evidenceGap({
      plan: plan(),
      weightBp: 5_000,
      window,
      silentMs: 0,
      silentGateways: [],
      lostNow: 0,
      holdMs: 60_000,
      checks: [],
    });
    expect(gap?.cause).toBe('breaker-open');
  });

  it('is shared by the routes of a service that ask for the same one, and answers by their fallback', async () => {
    const fixed = { kind: 'response', status: 200, fields: [], body: 'instead' } as const;
    const noQueue = { ...ONE, limits: { ...ONE.limits, queueSize: 0 } };
    const config = gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
      routes: [
        routeOf('orders', { name: 'one', path: { kind: 'exact', path: '/one' }, adaptive: noQueue }),
        routeOf('orders', {
          name: 'two',
          path: { kind: 'exact', path: '/two' },
          adaptive: { ...noQueue, priority: 'high' },
          fallback: { on: new Set(['breaker']), to: fixed },
        }),
      ],
    });
    const gateway = await harness.gateway(config);
    const first = ask(gateway, '/one');
    await eventually(() => held.length === 1);
    const second = await ask(gateway, '/two');
    expect([second.status, second.body]).toEqual([200, 'instead']);
    // Requests that began before a reload still count.
    await gateway.reload(config);
    expect((await ask(gateway, '/one')).status).toBe(503);
    await answerNext();
    expect((await first).status).toBe(200);
  });

  it('falls when the upstream only makes requests wait for each other, and rises again', async () => {
    // Two at a time, 30 ms each: what comes on top queues.
    let busy = 0;
    const queue: (() => void)[] = [];
    const slow = await harness.upstream((_request, response) => {
      const work = (): void => {
        busy += 1;
        setTimeout(() => {
          busy -= 1;
          response.end();
          queue.shift()?.();
        }, 30);
      };
      if (busy < 2) work();
      else queue.push(work);
    });
    const adaptive = { ...ONE, limits: { min: 2, max: 100, initial: 60, queueSize: 50 }, waitMs: 30 };
    const gateway = await harness.gateway(configOf(adaptive, {}, slow.url));
    for (let i = 0; i < 12; i += 1) await ask(gateway, '/');
    expect(await metric(gateway, 'sluice_adaptive_limit')).toBe(60);
    let flooding = true;
    const flood = Array.from({ length: 60 }, async () => {
      while (flooding) await ask(gateway, '/');
    });
    const deadlineMs = performance.now() + 20_000;
    while ((await metric(gateway, 'sluice_adaptive_limit')) > 30) {
      if (performance.now() > deadlineMs) throw new Error('the limit does not fall');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    flooding = false;
    await Promise.all(flood);
    await untilMetric(gateway, 0, 'sluice_adaptive_in_flight');
    expect((await ask(gateway, '/')).status).toBe(200);
  }, 40_000);

  it('comes back to nothing under way, however requests end', async () => {
    const flaky = await moody(harness);
    const retry = { attempts: 1, on: ['reset', '503'], baseMs: 1, maxMs: 5, bufferBytes: 1000 } as const;
    const timeout = { connectMs: 200, responseMs: 200, idleMs: 200, totalMs: 400 };
    const adaptive = { ...ONE, limits: { min: 5, max: 20, initial: 10, queueSize: 10 }, waitMs: 50 };
    const gateway = await harness.gateway(
      configOf(adaptive, { retry, timeout, hedge: { afterMs: 20 }, maxBodyBytes: 100 }, flaky.url),
    );
    const one = (index: number): Promise<void> =>
      new Promise((resolve) => {
        const socket: Socket = connect(portOf(gateway), '127.0.0.1');
        const body = index % 4 === 0 ? 'x'.repeat(index % 90) : '';
        // Every seventh promises a body and does not send it; every fifth goes away in the middle.
        const length = index % 7 === 0 ? 95 : body.length;
        socket.on('error', () => {});
        socket.on('close', () => resolve());
        socket.resume();
        socket.write(
          `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Kind: ${index}\r\n` +
            `Content-Length: ${length}\r\n\r\n${body}`,
        );
        if (index % 5 === 0 || index % 7 === 0) setTimeout(() => socket.destroy(), index % 90);
      });
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 60 }, (_, index) => one(round * 60 + index)));
    }
    await untilMetric(gateway, 0, 'sluice_adaptive_in_flight');
    await untilMetric(gateway, 0, 'sluice_adaptive_queued');
  }, 40_000);
});
