import type { RequestListener, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import { type MirrorPolicy, mirrorOf } from '../../src/config/policies/mirror.ts';
import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  splitOf,
  type Upstream,
} from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

const WAIT_MS = 20_000;
/** Generous, so that a slow machine leaves nothing out. */
const PATIENT = mirrorOf({ max: 1_000, timeout: 20_000 });

interface Shop {
  readonly gateway: Gateway;
  readonly v1: Upstream;
  readonly v2: Upstream;
}

async function shop(
  first: RequestListener,
  second: RequestListener,
  changes: Partial<Route> = {},
): Promise<Shop> {
  const [v1, v2] = [await harness.upstream(first), await harness.upstream(second)];
  const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] })], {
    routes: [routeOf('orders', { name: 'orders', mirror: { ...PATIENT, share: 0 }, ...changes })],
  });
  return { gateway: await harness.gateway(config), v1, v2 };
}

/** Everybody gets v1; so many are asked of v2 too. */
async function mirror(
  gateway: Gateway,
  revision: number,
  shareBp: number,
  changes: Partial<SplitDocument> = {},
) {
  const asked = shareBp === 0 ? {} : { mirror: { version: 'v2', shareBp } };
  await harness.channel.write(splitOf('orders', revision, 0, { ...asked, ...changes }));
  await eventually(() => gateway.splits().some(({ split }) => split.revision === revision), WAIT_MS);
}

async function users(gateway: Gateway, from: number, to: number, path = '/'): Promise<string[]> {
  const bodies: string[] = [];
  for (let user = from; user < to; user += 1) {
    bodies.push((await call(gateway, path, { headers: { 'x-user-id': `user-${user}` } })).body);
  }
  return bodies;
}

/** The reports once so many answers of rollouts' mirrors have been compared. */
async function compared(gateway: Gateway, count: number) {
  const deadlineMs = performance.now() + WAIT_MS;
  for (;;) {
    const { body } = await admin(gateway, '/mirror.json');
    const reports = JSON.parse(body) as { run?: string; compared: { candidate: number; baseline: number } }[];
    const ofRollout = reports.filter(({ run }) => run !== undefined);
    const sum = ofRollout.reduce(
      (total, { compared: { candidate, baseline } }) => total + candidate + baseline,
      0,
    );
    if (sum >= count) return ofRollout;
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${body}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What the telemetry says of a version's mirrored answers, once the gateway has reported everything. */
function reported(version: string): { compared: number; differing: number } {
  const sum = { compared: 0, differing: 0 };
  for (const { versions } of harness.stream.summaries) {
    sum.compared += versions[version]?.mirrored?.compared ?? 0;
    sum.differing += versions[version]?.mirrored?.differing ?? 0;
  }
  return sum;
}

function send(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

let now = 0;
const noisy =
  (price: number): RequestListener =>
  (_request, response) => {
    now += 1;
    send(response, { price, at: now });
  };

describe('the mirror of a rollout', () => {
  it('asks a half of the requests of the canary, the other half of the baseline again, and clients see neither', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5));
    await mirror(gateway, 1, 10_000);
    const bodies = await users(gateway, 0, 200);
    expect(bodies.every((body) => JSON.parse(body).price === 5)).toBe(true);
    const [report] = await compared(gateway, 200);
    expect(report?.run).toBe('orders#1');
    expect(v1.seen.length + v2.seen.length).toBe(400);
    // Within five standard deviations of a fair coin.
    expect(Math.abs(v2.seen.length - 100)).toBeLessThan(36);
    expect(v2.seen.every(({ headers }) => headers['x-sluice-mirror'] === 'candidate')).toBe(true);
    await gateway.close();
    expect(harness.outcomes('v1', 'attempts', 'status2xx')).toBe(200);
    expect(harness.outcomes('v2', 'attempts', 'status2xx')).toBe(0);
  });

  it('counts neither noise nor what came before the noise was known, and every answer that really differs', async () => {
    const { gateway } = await shop(noisy(5), noisy(6));
    await mirror(gateway, 1, 10_000);
    await users(gateway, 0, 300);
    const [report] = await compared(gateway, 300);
    await gateway.close();
    const [canary, baseline] = [reported('v2'), reported('v1')];
    // Ten answers of the baseline teach; what the canary answers until then counts for nothing.
    expect(baseline.compared).toBe((report?.compared.baseline ?? 0) - 10);
    expect(baseline.differing).toBe(0);
    expect(canary.compared).toBeGreaterThan(50);
    expect(canary.differing).toBe(canary.compared);
  });

  it('counts answers in the order in which they were asked for, though the canary is faster than the baseline', async () => {
    let extra = {};
    let held: (() => void)[] | null = null;
    const { gateway } = await shop(
      (request, response) => {
        const again = request.headers['x-sluice-mirror'] === 'baseline';
        if (!again) return send(response, { price: 5 });
        const answer = () => send(response, { price: 5, ...extra });
        if (held === null) answer();
        else held.push(answer);
      },
      (_request, response) => send(response, { price: 5, ...extra }),
    );
    await mirror(gateway, 1, 10_000);
    await users(gateway, 0, 80);
    const [before] = await compared(gateway, 80);
    // From now on both versions differ at the same place, and the baseline's answers come last.
    extra = { tax: 1 };
    const late: (() => void)[] = [];
    held = late;
    await users(gateway, 100, 180);
    const deadlineMs = performance.now() + WAIT_MS;
    for (;;) {
      const [after] = await compared(gateway, 80);
      const candidates = (after?.compared.candidate ?? 0) - (before?.compared.candidate ?? 0);
      if (late.length + candidates === 80) break;
      expect(performance.now()).toBeLessThan(deadlineMs);
    }
    for (const answer of late) answer();
    await compared(gateway, 160);
    await gateway.close();
    // What was asked after the baseline had differed there is noise: all but the few before its first.
    expect(reported('v1').differing).toBe(1);
    expect(reported('v2').differing).toBeLessThan(20);
  });

  it('counts a canary that does not answer as one that differs', async () => {
    const { gateway } = await shop(
      (_request, response) => response.end('fine'),
      (request) => request.socket.destroy(),
    );
    await mirror(gateway, 1, 10_000);
    const bodies = await users(gateway, 0, 120);
    expect(new Set(bodies)).toEqual(new Set(['fine']));
    await compared(gateway, 120);
    await gateway.close();
    expect(reported('v2').compared).toBeGreaterThan(10);
    expect(reported('v2').differing).toBe(reported('v2').compared);
    expect(reported('v1').differing).toBe(0);
  });

  it('chooses always the same users, more with a larger share and none without', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5));
    const asked = (): Set<unknown> =>
      new Set(
        [...v1.seen, ...v2.seen]
          .filter(({ headers }) => headers['x-sluice-mirror'] !== undefined)
          .map(({ headers }) => headers['x-user-id']),
      );
    await users(gateway, 0, 20);
    await mirror(gateway, 1, 2_000);
    for (let round = 0; round < 2; round += 1) await users(gateway, 0, 100);
    const few = (await eventually(() => asked().size > 0 && asked(), WAIT_MS)) as Set<unknown>;
    await mirror(gateway, 2, 6_000);
    await users(gateway, 0, 100);
    const settled = async () => {
      const { body } = await admin(gateway, '/metrics');
      return /^sluice_mirror_in_flight\{[^}]*\} 0$/m.test(body);
    };
    const deadlineMs = performance.now() + WAIT_MS;
    while (!(await settled()) && performance.now() < deadlineMs) await new Promise((r) => setTimeout(r, 20));
    const many = asked();
    expect(few.size).toBeLessThan(40);
    expect(many.size).toBeGreaterThan(40);
    for (const user of few) expect(many.has(user)).toBe(true);
    await mirror(gateway, 3, 0);
    const before = v1.seen.length + v2.seen.length;
    await users(gateway, 0, 50);
    await gateway.close();
    expect(v1.seen.length + v2.seen.length).toBe(before + 50);
  });

  it('sends one second request at most where the route mirrors too', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5), {
      mirror: { ...PATIENT, version: 'v2', share: 1, noise: 0 },
    });
    await mirror(gateway, 1, 5_000);
    await users(gateway, 0, 100);
    await eventually(() => v1.seen.length + v2.seen.length >= 200, WAIT_MS);
    await gateway.close();
    expect(v1.seen.length + v2.seen.length).toBe(200);
    const again = v1.seen.filter(({ headers }) => headers['x-sluice-mirror'] === 'baseline').length;
    expect(again).toBeGreaterThan(5);
  });

  it('compares as the route says, and leaves a route alone that says `mirror: false`', async () => {
    const ignoring: MirrorPolicy = { ...PATIENT, share: 0, rules: { fields: [], ignore: ['/price', '/at'] } };
    const { gateway } = await shop(noisy(5), noisy(6), { mirror: ignoring });
    await mirror(gateway, 1, 10_000);
    await users(gateway, 0, 60);
    await compared(gateway, 60);
    await gateway.close();
    expect(reported('v2').compared).toBeGreaterThan(0);
    expect(reported('v2').differing).toBe(0);

    const spared = await shop(noisy(5), noisy(5), { mirror: null, unmirrored: true });
    await mirror(spared.gateway, 2, 10_000);
    await users(spared.gateway, 0, 20);
    await spared.gateway.close();
    expect(spared.v1.seen.length + spared.v2.seen.length).toBe(20);
  });

  it('leaves requests alone that are no GET or HEAD', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5), { mirror: null });
    await mirror(gateway, 1, 10_000);
    for (let i = 0; i < 10; i += 1) await call(gateway, '/', { method: 'POST', body: '{}' });
    await users(gateway, 0, 10);
    await compared(gateway, 10);
    await gateway.close();
    const methods = [...v1.seen, ...v2.seen]
      .filter(({ headers }) => headers['x-sluice-mirror'] !== undefined)
      .map(({ method }) => method);
    expect(methods).toEqual(Array(10).fill('GET'));
  });

  it('goes on over a reload with what it has learnt, and begins anew with another run', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5));
    await mirror(gateway, 1, 10_000);
    await users(gateway, 0, 60);
    await compared(gateway, 60);
    const config = gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] })], {
      routes: [routeOf('orders', { name: 'orders', mirror: { ...PATIENT, share: 0 } })],
    });
    await gateway.reload(config);
    await users(gateway, 0, 30);
    await compared(gateway, 90);
    await mirror(gateway, 2, 10_000, { rollout: 'orders#2' });
    await users(gateway, 0, 5);
    const deadlineMs = performance.now() + WAIT_MS;
    for (;;) {
      const [report] = await compared(gateway, 0);
      if (report?.run === 'orders#2' && report.compared.candidate + report.compared.baseline === 5) break;
      expect(performance.now()).toBeLessThan(deadlineMs);
    }
    await gateway.close();
  });

  it('ends with its lease', async () => {
    const { gateway, v1, v2 } = await shop(noisy(5), noisy(5));
    await mirror(gateway, 1, 10_000, { lease: { ttlMs: 400, onExpiry: 'baseline' } });
    await eventually(() => gateway.splits().some(({ state }) => state === 'lease-expired'), WAIT_MS);
    await users(gateway, 0, 20);
    await gateway.close();
    expect(v1.seen.length + v2.seen.length).toBe(20);
  });
});
