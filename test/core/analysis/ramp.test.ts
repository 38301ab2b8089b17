import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadReleases, MEAN, NINE_OF_TEN } from '../../../src/core/analysis/bad-release.ts';
import { DEFAULT_BOUNDS, fastestRamp, nextWeights, rampFrom } from '../../../src/core/analysis/ramp.ts';
import type { AutoBounds } from '../../../src/core/domain/plan.ts';
import type { Ramp, RampInputs } from '../../../src/core/domain/ramp.ts';
import { FULL_BP } from '../../../src/core/domain/weight.ts';
import { plan, RULE } from '../rollout/plans.ts';

const TRAFFIC = { requestsPerSecond: 200, errorRate: 0.005 };
const BOUNDS: AutoBounds = { ...DEFAULT_BOUNDS, budget: 50, regression: 2.5 };

function ramp(bounds: Partial<AutoBounds> = {}, inputs: Partial<RampInputs> = {}): Ramp {
  const all = { ...BOUNDS, ...bounds };
  const exposures = [{ weightBp: all.fromBp, requests: 0 }];
  return rampFrom(plan(), all, { traffic: TRAFFIC, exposures, heldMs: 0, proven: false, ...inputs });
}

const weights = ({ steps }: Ramp): readonly number[] => steps.map(({ weightBp }) => weightBp);
const durationMs = ({ steps }: Ramp): number => steps.reduce((sum, { holdMs }) => sum + holdMs, 0);

describe('the ramp within bounds', () => {
  it('goes up by what the bounds allow where traffic suffices, and is held for the shortest time', () => {
    const quick = ramp({}, { traffic: { requestsPerSecond: 1_000, errorRate: 0.005 } });
    expect(quick.obstacle).toBeNull();
    expect(quick.steps.map(({ weightBp, holdMs }) => [weightBp, Math.round(holdMs / 1000)])).toEqual([
      [100, 60],
      [300, 60],
      [700, 60],
      [2_000, 60],
      [5_000, 60],
      [10_000, 0],
    ]);
  });

  it('holds a weight for longer when the next one is not affordable yet', () => {
    const few = ramp({ budget: 30 }, { traffic: { requestsPerSecond: 20, errorRate: 0.01 } });
    expect(few.steps.some(({ holdMs }) => holdMs > 2 * BOUNDS.minHoldMs)).toBe(true);
    expect(durationMs(few)).toBeGreaterThan(durationMs(ramp({ budget: 30 })));
  });

  it('goes to 100 % only after it would have seen, nine times of ten, the smallest regression', () => {
    for (const requestsPerSecond of [20, 200, 2_000]) {
      const traffic = { requestsPerSecond, errorRate: 0.01 };
      const found = ramp({ maxHoldMs: 86_400_000, budget: 200 }, { traffic });
      const releases = new BadReleases(plan(), traffic, BOUNDS.regression);
      const exposures = found.steps
        .filter(({ weightBp }) => weightBp < FULL_BP)
        .map(({ weightBp, holdMs }) => ({
          weightBp,
          requests: releases.perSecond(weightBp) * (holdMs / 1000),
        }));
      expect(releases.seen(exposures, NINE_OF_TEN)[0]).toBeGreaterThanOrEqual(0.999);
    }
  });

  it('counts what earlier steps have shown: nothing is asked for twice', () => {
    const traffic = { requestsPerSecond: 5, errorRate: 0.01 };
    const now = { weightBp: 1_000, requests: 0 };
    const fresh = ramp({}, { traffic, exposures: [now] });
    const later = ramp({}, { traffic, exposures: [{ weightBp: 500, requests: 800 }, now] });
    expect(durationMs(later)).toBeLessThan(durationMs(fresh));
  });

  it('is in the way of itself when the first weight costs more than the budget', () => {
    const traffic = { requestsPerSecond: 20_000, errorRate: 0.005 };
    expect(ramp({}, { traffic }).obstacle).toEqual({ kind: 'budget', atBp: 100 });
    expect(ramp({ fromBp: 5 }, { traffic }).obstacle).toBeNull();
  });

  it('says how long a next weight takes that no longest hold is enough for', () => {
    const slow = ramp({ budget: 30 }, { traffic: { requestsPerSecond: 2, errorRate: 0.005 } });
    expect(slow.obstacle).toMatchObject({ kind: 'slow', waitMs: expect.any(Number) });
    const none = ramp({}, { traffic: { requestsPerSecond: 0, errorRate: 0 } });
    expect(none.obstacle).toMatchObject({ kind: 'slow', waitMs: null });
  });

  it('waits for the proof, and for nothing but the proof, before 100 %', () => {
    const all = { exposures: [{ weightBp: 5_000, requests: 1e6 }], heldMs: 3_600_000 };
    expect(ramp({}, { ...all, proven: false }).obstacle).toEqual({ kind: 'proof', atBp: 5_000 });
    expect(ramp({}, { ...all, proven: true }).obstacle).toBeNull();
    expect(ramp({}, { ...all, proven: true }).steps).toEqual([
      { weightBp: 5_000, holdMs: 3_600_000 },
      { weightBp: FULL_BP, holdMs: 0 },
    ]);
  });

  it('takes a baseline without errors for one that may fail once in a thousand', () => {
    const clean = ramp({}, { traffic: { requestsPerSecond: 2_000, errorRate: 0 } });
    expect(clean.obstacle).toBeNull();
    expect(clean.worst.rate).toBeGreaterThanOrEqual(0.001);
  });

  const bounds = fc.record({
    budget: fc.integer({ min: 30, max: 5_000 }),
    regression: fc.double({ min: 2.2, max: 10, noNaN: true }),
    fromBp: fc.integer({ min: 1, max: 5_000 }),
    maxFactor: fc.double({ min: 2, max: 20, noNaN: true }),
    minHoldMs: fc.integer({ min: 1_000, max: 600_000 }),
    maxHoldMs: fc.integer({ min: 600_000, max: 7_200_000 }),
    maxDurationMs: fc.constant(86_400_000),
  });
  const traffic = fc.record({
    requestsPerSecond: fc.double({ min: 0, max: 20_000, noNaN: true }),
    errorRate: fc.double({ min: 0, max: 0.2, noNaN: true }),
  });

  it('property: ascends to 100 % by what is allowed at once, in holds within the bounds', () => {
    fc.assert(
      fc.property(bounds, traffic, fc.boolean(), (of, measured, proven) => {
        const found = ramp(of, { traffic: measured, proven });
        const [first, ...later] = weights(found);
        expect(first).toBe(of.fromBp);
        expect(later.at(-1)).toBe(FULL_BP);
        let before = of.fromBp;
        for (const weightBp of later) {
          expect(nextWeights(of, before)).toContain(weightBp);
          expect(weightBp).toBeGreaterThan(before);
          expect(weightBp).toBeLessThanOrEqual(of.maxFactor * before);
          before = weightBp;
        }
        for (const { weightBp, holdMs } of found.steps) {
          if (weightBp === FULL_BP) continue;
          expect(holdMs).toBeGreaterThanOrEqual(of.minHoldMs);
          expect(holdMs).toBeLessThanOrEqual(of.maxHoldMs);
        }
      }),
    );
  });

  it('property: without an obstacle, every bad release is expected to stay inside the budget', () => {
    fc.assert(
      fc.property(bounds, traffic, (of, measured) => {
        const found = ramp(of, { traffic: measured });
        if (found.obstacle !== null) return;
        expect(found.worst.failures).toBeLessThanOrEqual(of.budget);
        const releases = new BadReleases(plan(), measured, of.regression);
        const exposures: { weightBp: number; requests: number }[] = [];
        for (const { weightBp, holdMs } of found.steps) {
          if (weightBp === FULL_BP) continue;
          const past = exposures.reduce((sum, { requests }) => sum + requests, 0);
          const { failures } = releases.worstAt(weightBp, releases.seen(exposures, MEAN), past);
          expect(failures).toBeLessThanOrEqual(of.budget + 1e-6);
          exposures.push({ weightBp, requests: releases.perSecond(weightBp) * (holdMs / 1000) });
        }
      }),
    );
  });

  it('property: more budget never begins or ends later', () => {
    fc.assert(
      fc.property(bounds, traffic, (of, measured) => {
        const [tight, loose] = [
          ramp(of, { traffic: measured }),
          ramp({ ...of, budget: of.budget * 4 }, { traffic: measured }),
        ];
        if (tight.obstacle === null) expect(loose.obstacle).toBeNull();
      }),
    );
  });
});

describe('the fastest ramp within a budget', () => {
  it('ascends to 100 % and keeps the worst release within it', () => {
    const found = fastestRamp(plan(), TRAFFIC, 100);
    expect(found?.steps.at(-1)?.weightBp).toBe(FULL_BP);
    expect(found?.worst.failures).toBeLessThanOrEqual(100);
    expect(found?.durationMs).toBe(found?.steps.reduce((sum, { holdMs }) => sum + holdMs, 0));
  });

  it('is no slower with a larger budget', () => {
    const found = [30, 50, 100, 400, 2_000].map((budget) => fastestRamp(plan(), TRAFFIC, budget));
    const durations = found.map((each) => each?.durationMs ?? Number.POSITIVE_INFINITY);
    expect(durations).toEqual([...durations].sort((a, b) => b - a));
  });

  it('takes as long as it needs to see the regression that the rule names', () => {
    const quick = fastestRamp(plan(), { requestsPerSecond: 2_000, errorRate: 0.005 }, 100_000);
    const slow = fastestRamp(plan(), { requestsPerSecond: 20, errorRate: 0.005 }, 100_000);
    expect(slow?.durationMs).toBeGreaterThan(quick?.durationMs ?? 0);
    expect(fastestRamp(plan(), { requestsPerSecond: 0.1, errorRate: 0.005 }, 100_000)).toBeNull();
  });

  it('is none where even the smallest first step costs more', () => {
    expect(fastestRamp(plan(), { requestsPerSecond: 20_000, errorRate: 0.005 }, 5)).toBeNull();
  });

  it('is the ramp of the file where that says steps: auto', () => {
    const auto = plan({ auto: BOUNDS });
    expect(fastestRamp(auto, TRAFFIC, 50)).toMatchObject({ steps: ramp().steps });
  });

  it('goes by the smallest factor that a rule names', () => {
    const tolerant = { ...RULE, condition: { kind: 'rate-ratio', factor: 8 } } as const;
    const traffic = { requestsPerSecond: 20, errorRate: 0.005 };
    const [strict, lenient] = [plan(), plan({ abort: [tolerant] })].map((each) =>
      fastestRamp(each, traffic, 100),
    );
    expect(lenient?.durationMs).toBeLessThan(strict?.durationMs ?? 0);
  });
});
