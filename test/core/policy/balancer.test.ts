import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BalanceKind, Balancer } from '../../../src/core/policy/balancer.ts';
import { ringHash } from '../../../src/core/policy/hash-ring.ts';
import type { ZonePreference } from '../../../src/core/policy/rotation.ts';
import { type BalanceTarget, TargetState } from '../../../src/core/policy/target-state.ts';

/** A linear congruential generator: the same draws every time. */
function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function targets(...weights: number[]): BalanceTarget[] {
  return weights.map((weight, i) => ({
    id: `http://10.0.0.${i}:80`,
    weight,
    zone: '',
    priority: 0,
    state: new TargetState(),
  }));
}

function balancerOf(
  kind: BalanceKind,
  of: readonly BalanceTarget[],
  slowStartMs = 0,
  zone: ZonePreference | null = null,
) {
  return new Balancer(of, { kind, slowStartMs, zone }, seeded(), 0);
}

function pick(
  balancer: Balancer<BalanceTarget>,
  nowMs: number,
  user: number,
  tried: readonly BalanceTarget[] | null,
): BalanceTarget {
  const target = balancer.pick(nowMs, ringHash(`user-${user}`), tried);
  if (target === null) throw new Error('there is no endpoint');
  return target;
}

/** How often each target is picked in `count` picks, each attempt over at once. */
function shares(
  balancer: Balancer<BalanceTarget>,
  count: number,
  nowMs = 0,
  tried: readonly BalanceTarget[] | null = null,
): number[] {
  const counts = balancer.targets.map(() => 0);
  for (let i = 0; i < count; i += 1) {
    const at = balancer.targets.indexOf(pick(balancer, nowMs, i, tried));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

const KINDS: readonly BalanceKind[] = ['roundRobin', 'leastRequests', 'hash'];

describe('Balancer', () => {
  it('takes turns', () => {
    expect(shares(balancerOf('roundRobin', targets(1, 1, 1)), 9)).toEqual([3, 3, 3]);
  });

  it('takes turns by weight, evenly interleaved', () => {
    const of = targets(5, 1, 1);
    const balancer = balancerOf('roundRobin', of);
    const order = Array.from({ length: 7 }, () => of.indexOf(pick(balancer, 0, 0, null)));
    expect(order).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });

  it.each<[BalanceKind, number]>([
    ['leastRequests', 0.03],
    ['hash', 0.08],
  ])('%s gives every endpoint its weight', (kind, tolerance) => {
    const counts = shares(balancerOf(kind, targets(1, 2, 5)), 20_000);
    for (const [i, share] of [1 / 8, 2 / 8, 5 / 8].entries()) {
      expect(Math.abs((counts[i] ?? 0) / 20_000 - share)).toBeLessThan(tolerance);
    }
  });

  it('keeps away from the busier of two', () => {
    const of = targets(1, 1);
    if (of[0]) of[0].state.inFlight = 50;
    const [busy = 0, idle = 0] = shares(balancerOf('leastRequests', of), 1_000);
    expect(busy / (busy + idle)).toBeLessThan(0.3); // Both draws fall on the busy one: a quarter.
  });

  it('sends a key to the same endpoint, and moves only the keys of one that is gone', () => {
    const of = targets(1, 1, 1, 1);
    const balancer = balancerOf('hash', of);
    const keys = Array.from({ length: 2_000 }, (_, i) => ringHash(`user-${i}`));
    const before = keys.map((key) => balancer.pick(0, key, null));
    expect(keys.map((key) => balancer.pick(0, key, null))).toEqual(before);
    if (of[2]) of[2].state.healthy = false;
    balancer.refresh(0);
    for (const [i, key] of keys.entries()) {
      const after = balancer.pick(0, key, null);
      if (before[i] === of[2]) expect(after).not.toBe(of[2]);
      else expect(after).toBe(before[i]);
    }
  });

  it('lets a hot key overflow to the next endpoint instead of drowning its own', () => {
    const of = targets(1, 1, 1, 1);
    const balancer = balancerOf('hash', of);
    for (let i = 0; i < 100; i += 1) pick(balancer, 0, 42, null).state.inFlight += 1;
    for (const { state } of of) expect(state.inFlight).toBeLessThanOrEqual(Math.ceil((1.25 * 101) / 4));
  });

  it.each(KINDS)('%s leaves out who is unhealthy or ejected, until the ejection ends', (kind) => {
    const of = targets(1, 1, 1, 1, 1);
    if (of[0]) of[0].state.healthy = false;
    if (of[1]) of[1].state.ejectedUntilMs = 1_000;
    const balancer = balancerOf(kind, of);
    expect(shares(balancer, 500).slice(0, 2)).toEqual([0, 0]);
    const later = shares(balancer, 500, 1_000);
    expect(later[0]).toBe(0);
    expect(later[1]).toBeGreaterThan(50);
  });

  it.each(KINDS)('%s ignores health when fewer than half are well', (kind) => {
    const of = targets(1, 1, 1, 1);
    for (const { state } of of.slice(0, 2)) state.healthy = false;
    const balancer = balancerOf(kind, of);
    expect([balancer.panicking, shares(balancer, 400)[0]]).toEqual([false, 0]);
    if (of[2]) of[2].state.healthy = false;
    balancer.refresh(0);
    expect(balancer.panicking).toBe(true);
    for (const count of shares(balancer, 400)) expect(count).toBeGreaterThan(40);
  });

  it.each(KINDS)('%s avoids where the request has failed, unless that is everywhere', (kind) => {
    const of = targets(1, 1, 1);
    const balancer = balancerOf(kind, of);
    expect(shares(balancer, 100, 0, of.slice(0, 2))).toEqual([0, 0, 100]);
    expect(shares(balancer, 90, 0, of).reduce((sum, count) => sum + count)).toBe(90);
  });

  it.each(KINDS)('%s eases a newly admitted endpoint in', (kind) => {
    const newcomer = {
      id: 'http://10.0.0.9:80',
      weight: 1,
      zone: '',
      priority: 0,
      state: new TargetState(1_000),
    };
    const of = [...targets(1, 1, 1), newcomer];
    const balancer = balancerOf(kind, of, 10_000);
    const at = (nowMs: number) => (shares(balancer, 8_000, nowMs)[3] ?? 0) / 8_000;
    const [early, half, full] = [at(1_000), at(6_000), at(11_000)];
    expect(early).toBeLessThan(0.06);
    expect(half).toBeGreaterThan(early);
    expect(half).toBeLessThan(full);
    expect(full).toBeGreaterThan(0.19);
  });

  it.each(KINDS)('property: %s always picks one that is in rotation', (kind) => {
    const target = fc.record({
      weight: fc.integer({ min: 1, max: 9 }),
      well: fc.boolean(),
      busy: fc.nat(20),
      joining: fc.boolean(),
      zone: fc.constantFrom('', 'a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 12 }), fc.nat(), (shapes, seed) => {
        const of = shapes.map(({ weight, well, busy, joining, zone }, i) => {
          const state = new TargetState();
          state.healthy = well;
          state.inFlight = busy;
          state.joining = joining;
          return { id: `t${i}`, weight, zone, priority: 0, state };
        });
        const balancer = new Balancer(
          of,
          { kind, slowStartMs: 0, zone: { zone: 'a', enough: 0.7 } },
          seeded(seed),
          0,
        );
        const alone = of.every(({ state }) => state.joining);
        for (let i = 0; i < 20; i += 1) {
          const { state } = pick(balancer, 0, i, null);
          expect(state.healthy || balancer.panicking || alone).toBe(true);
          expect(!state.joining || alone).toBe(true);
        }
      }),
    );
  });
});
