import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Balancer } from '../../../src/core/policy/balancer.ts';
import { type OutlierLimits, OutlierWatch } from '../../../src/core/policy/outlier.ts';
import { type BalanceTarget, TargetState } from '../../../src/core/policy/target-state.ts';

const LIMITS: OutlierLimits = { consecutive: 5, baseMs: 30_000, maxMs: 100_000, maxShare: 0.3 };

function watched(count: number, limits: OutlierLimits = LIMITS) {
  const targets: BalanceTarget[] = Array.from({ length: count }, (_, i) => ({
    id: `t${i}`,
    weight: 1,
    zone: '',
    priority: 0,
    state: new TargetState(),
  }));
  const balancer = new Balancer(targets, { kind: 'roundRobin', slowStartMs: 0, zone: null }, () => 0, 0);
  const watch = new OutlierWatch(limits, balancer);
  const fail = (at: number, times: number, nowMs: number): void => {
    for (let i = 0; i < times; i += 1) watch.note(targets[at] as BalanceTarget, true, nowMs);
  };
  const ejectedForMs = (at: number, nowMs: number) =>
    Math.max(0, (targets[at]?.state.ejectedUntilMs ?? 0) - nowMs);
  return { targets, balancer, watch, fail, ejectedForMs };
}

describe('OutlierWatch', () => {
  it('ejects after failures in a row, and only then', () => {
    const { targets, watch, fail, ejectedForMs, balancer } = watched(4);
    fail(0, 4, 0);
    watch.note(targets[0] as BalanceTarget, false, 0);
    fail(0, 4, 0);
    expect(ejectedForMs(0, 0)).toBe(0);
    fail(0, 1, 0);
    expect(ejectedForMs(0, 0)).toBe(30_000);
    expect(balancer.inRotation).toBe(3);
  });

  it('ejects for longer each time, up to its limit, and forgives after a long time without', () => {
    const { fail, ejectedForMs } = watched(4);
    const times: number[] = [];
    let nowMs = 0;
    for (let i = 0; i < 5; i += 1) {
      fail(0, 5, nowMs);
      times.push(ejectedForMs(0, nowMs));
      nowMs += ejectedForMs(0, nowMs) + 1_000;
    }
    expect(times).toEqual([30_000, 60_000, 90_000, 100_000, 100_000]);
    nowMs += 100_000;
    fail(0, 5, nowMs);
    expect(ejectedForMs(0, nowMs)).toBe(30_000);
  });

  it.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [7, 2],
    [10, 3],
  ])('of %d endpoints ejects at most %d at a time', (count, most) => {
    const { fail, ejectedForMs } = watched(count);
    for (let i = 0; i < count; i += 1) fail(i, 50, 0);
    expect(Array.from({ length: count }, (_, i) => ejectedForMs(i, 0)).filter((ms) => ms > 0)).toHaveLength(
      most,
    );
  });

  it('property: never more ejected than allowed, never longer than the limit', () => {
    const event = fc.record({ at: fc.nat(9), failed: fc.boolean(), gapMs: fc.nat(20_000) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const { targets, watch, ejectedForMs } = watched(10, { ...LIMITS, consecutive: 2 });
        let nowMs = 0;
        for (const { at, failed, gapMs } of events) {
          nowMs += gapMs;
          watch.note(targets[at] as BalanceTarget, failed, nowMs);
          const times = targets.map((_, i) => ejectedForMs(i, nowMs));
          expect(times.filter((ms) => ms > 0).length).toBeLessThanOrEqual(3);
          expect(Math.max(...times)).toBeLessThanOrEqual(100_000);
        }
      }),
    );
  });
});
