import { describe, expect, it } from 'vitest';
import { forecast } from '../../../src/core/analysis/forecast.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Condition, Rule } from '../../../src/core/domain/rule.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { second } from './seconds.ts';

const ratio: Condition = { kind: 'rate-ratio', factor: 2 };
const rules = (...conditions: Condition[]): readonly Rule[] =>
  conditions.map((condition) => ({ ...RULE, condition, minRequests: 1, overMs: 300_000 }));
const step = (weightBp: number, holdMs: number) => ({
  weightBp,
  holdMs,
  minHoldMs: holdMs / 5,
  requests: 0,
  gate: null,
});

/** Canary requests that three rules in a budget of 1 % need, from the simulations that the formulas were fitted to. */
const TABLE: readonly [number, number, number, number][] = [
  [0.001, 2, 19_900, 41_200],
  [0.001, 3, 6_000, 12_900],
  [0.001, 5, 2_000, 4_400],
  [0.005, 2, 4_000, 8_200],
  [0.005, 10, 120, 270],
  [0.01, 3, 600, 1_300],
];

describe('a forecast', () => {
  it.each(TABLE)(
    'at %d errors and %dx needs what the simulations needed',
    (errorRate, factor, median, p90) => {
      const three = rules(
        { kind: 'rate-ratio', factor },
        { kind: 'rate-limit', limit: 0.5 },
        { kind: 'quantile-limit', quantile: 0.5, limitMs: 1 },
      );
      const thePlan = plan({ steps: [step(500, 60_000)], abort: three });
      const [sight] = forecast(thePlan, { requestsPerSecond: 20, errorRate }).steps[0]?.sights ?? [];
      expect((sight?.requests.median ?? 0) / median).toBeGreaterThan(0.9);
      expect((sight?.requests.median ?? 0) / median).toBeLessThan(1.1);
      expect((sight?.requests.p90 ?? 0) / p90).toBeGreaterThan(0.9);
      expect((sight?.requests.p90 ?? 0) / p90).toBeLessThan(1.1);
    },
  );

  it('agrees with the judge itself on when a tenfold error rate is seen', () => {
    const thePlan = plan({ steps: [step(500, 600_000)], abort: rules(ratio) });
    const times: number[] = [];
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    const bad = (count: number, rate: number): number => {
      let failed = 0;
      for (let i = 0; i < count; i += 1) if (random() < rate) failed += 1;
      return failed;
    };
    for (let run = 0; run < 41; run += 1) {
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      for (let at = 1; at <= 600; at += 1) {
        const [canaryBad, baselineBad] = [bad(10, 0.05), bad(190, 0.005)];
        judge.add(
          second(at, { ok: 10 - canaryBad, bad: canaryBad }, { ok: 190 - baselineBad, bad: baselineBad }),
        );
        const worse = judge.check({
          step: 0,
          weightBp: 500,
          revision: 1,
          stale: false,
          samples: [null],
          nowMs: at * 1000,
        });
        if ((worse.checks[0]?.proof?.worse ?? 0) < 100) continue;
        times.push(at);
        break;
      }
    }
    const median = times.sort((a, b) => a - b)[20] ?? 0;
    const ten = plan({ steps: [step(500, 600_000)], abort: rules({ kind: 'rate-ratio', factor: 10 }) });
    const told = forecast(ten, { requestsPerSecond: 200, errorRate: 0.005 }).steps[0]?.sights[0]?.seconds
      .median;
    expect(told).toBeGreaterThan(median * 0.6);
    expect(told).toBeLessThan(median * 1.6);
  });

  it('says what a step is blind to', () => {
    const thePlan = plan({ steps: [step(100, 60_000), step(5_000, 600_000)], abort: rules(ratio) });
    const [first, later] = forecast(thePlan, { requestsPerSecond: 1, errorRate: 0.001 }).steps;
    expect(first?.sights[0]?.smallest).toBeNull();
    expect(later?.sights[0]?.smallest).toBeGreaterThan(2);
    expect(later?.sights[0]?.smallest).toBeLessThan(1_000);
  });

  it('sees nothing by comparison at 100 %, and by a fixed limit all the more', () => {
    const thePlan = plan({
      steps: [step(10_000, 60_000)],
      abort: rules(ratio, { kind: 'rate-limit', limit: 0.01 }),
    });
    const [only] = forecast(thePlan, { requestsPerSecond: 200, errorRate: 0.001 }).steps;
    expect(only?.sights.map(({ rule }) => rule)).toEqual([1]);
  });

  it('tells how long a healthy release takes, with and without proofs', () => {
    const steps = [step(500, 600_000), step(5_000, 600_000), step(10_000, 0)];
    const by = (advance: 'proven' | 'elapsed') =>
      forecast(plan({ steps, abort: rules(ratio), advance }), { requestsPerSecond: 2_000, errorRate: 0.005 })
        .durationMs;
    expect(by('elapsed')).toEqual({ best: 1_200_000, likely: 1_200_000, worst: 1_200_000 });
    const { best, likely, worst } = by('proven');
    expect([best, worst]).toEqual([240_000, 1_200_000]);
    expect(likely).toBeGreaterThanOrEqual(best);
    expect(likely).toBeLessThan(worst);
  });
});
