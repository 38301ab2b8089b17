/**
 * What `plan` promises against what the judge does: requests until a regression is aborted, in seeded simulations.
 * Within 25 % of the median and of the ninth decile, as the research asks (ratios above the rule's own limit).
 */

import { describe, expect, it } from 'vitest';
import { forecast } from '../../../src/core/analysis/forecast.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Rule } from '../../../src/core/domain/rule.ts';
import { secondOf, seeded, type Traffic } from '../rollout/auto-run.ts';
import { plan, RULE } from '../rollout/plans.ts';

const RUNS = 240;
const MAX_SECONDS = 4_000;

/** A tolerant rule, so that its limit is broken by all sizes that are looked for; and one that names the size. */
const ruleOf = (factor: number): Rule => ({
  ...RULE,
  text: `5xx > ${factor}x`,
  condition: { kind: 'rate-ratio', factor },
  overMs: 300_000,
  minRequests: 1,
});
const planOf = (factor: number, weightBp: number): Plan =>
  plan({
    steps: [{ weightBp, holdMs: 600_000, minHoldMs: 0, requests: 0, gate: null }],
    abort: [ruleOf(factor)],
  });

/** Canary requests until the abort, by run, ascending. */
function simulated(weightBp: number, traffic: Traffic, seed: number): readonly number[] {
  const random = seeded(seed);
  const of = planOf(2, weightBp);
  const runs = Array.from({ length: RUNS }, () => {
    const judge = createSequentialJudge(of, emptyMemory(of));
    let requests = 0;
    for (let at = 1; at <= MAX_SECONDS; at += 1) {
      const second = secondOf(at, weightBp, traffic, random);
      judge.add(second);
      requests += second.canary.total;
      const { checks } = judge.check({
        step: 0,
        weightBp,
        mirroring: false,
        revision: 1,
        stale: false,
        samples: [null],
        nowMs: at * 1000,
      });
      if (checks[0]?.verdict === 'fail') return requests;
    }
    return Number.POSITIVE_INFINITY;
  });
  return runs.sort((a, b) => a - b);
}

describe('requests until a regression is seen, as forecast', { timeout: 300_000 }, () => {
  it.each([
    [0.005, 3, 500, 200],
    [0.005, 5, 500, 200],
    [0.01, 3, 1_000, 200],
    [0.02, 4, 5_000, 20],
    [0.001, 5, 500, 2_000],
  ])(
    'of %d errors times %d at %d bp of %d requests/s: within a quarter of the simulated median and ninth decile',
    (rate, size, weightBp, requestsPerSecond) => {
      const traffic = { requestsPerSecond: () => requestsPerSecond, baseline: rate, canary: size * rate };
      const runs = simulated(weightBp, traffic, size * 1_000 + weightBp);
      const told = forecast(planOf(size, weightBp), { requestsPerSecond, errorRate: rate }).steps[0]
        ?.sights[0];
      if (!told) expect.fail('nothing forecast');
      const [median, p90] = [runs[RUNS / 2] as number, runs[RUNS * 0.9] as number];
      for (const [promised, found] of [
        [told.requests.median, median],
        [told.requests.p90, p90],
      ] as const) {
        expect(promised / found).toBeGreaterThan(0.75);
        expect(promised / found).toBeLessThan(1.25);
      }
    },
  );
});
