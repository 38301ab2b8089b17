/** The bets on mirrored answers against the plain sums that they stand for, and the forecast against the bets. */

import { describe, expect, it } from 'vitest';
import { forecast } from '../../../src/core/analysis/forecast.ts';
import { type MirroredSecond, QUIET_ARM } from '../../../src/core/analysis/second.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';

const { Random } = await loadJudge<RandomModule>('random');

const EFFECTS = [1.15, 1.35, 1.6, 2, 2.6, 3.5, 5, 8, 16, 40, 150, 1000];
const PRIOR = [1, 1.5, 2, 3, 3, 2.5, 2, 1.5, 1, 1, 1, 1];
const LIMIT = 0.02;

const differs = {
  ...RULE,
  text: 'differs > 2%',
  condition: { kind: 'differs', limit: LIMIT },
  overMs: 60_000,
  minRequests: 1,
} as const;

function planOf(changes: Partial<Plan> = {}): Plan {
  const steps = plan().steps.map((step, at) =>
    at === 0 ? { ...step, weightBp: 0, mirrorBp: 2_000, holdMs: 600_000 } : step,
  );
  return plan({ steps, abort: [differs], ...changes });
}

/** A stake for each effect and each start; each grows by its own factors, and nothing is carried along. */
function plainly(
  seconds: readonly MirroredSecond[],
  cap: number,
  log: (effect: number, of: MirroredSecond) => number,
) {
  const prior = PRIOR.reduce((sum, each) => sum + each, 0);
  let total = 0;
  for (const [at, effect] of EFFECTS.entries()) {
    for (let start = 0; start <= seconds.length; start += 1) {
      const stake = start === 0 ? 0.6 : (0.4 * 1800) / ((start + 1800) * (start + 1801));
      const grown = seconds
        .slice(Math.max(0, start - 1))
        .reduce((sum, each) => sum + Math.min(cap, log(effect, each)), 0);
      total += ((PRIOR[at] ?? 0) / prior) * stake * Math.exp(grown);
    }
  }
  return total;
}

/** A fair coin says whose differing answer it is; an effect loads it. */
function coin(effect: number, { canary, baseline }: MirroredSecond): number {
  const loaded = effect / (effect + 1);
  return canary.differing * Math.log(loaded / 0.5) + baseline.differing * Math.log((1 - loaded) / 0.5);
}

function beyondLimit(effect: number, { canary: { compared, differing } }: MirroredSecond): number {
  const rate = (effect * LIMIT) / (1 + (effect - 1) * LIMIT);
  return differing * Math.log(rate / LIMIT) + (compared - differing) * Math.log((1 - rate) / (1 - LIMIT));
}

function draw(seed: number, seconds: number, canaryRate: number, baselineRate: number): MirroredSecond[] {
  const random = new Random(seed, 9);
  const arm = (rate: number) => {
    const compared = random.poisson(6);
    return { compared, differing: random.binomial(compared, rate) };
  };
  return Array.from({ length: seconds }, () => ({ canary: arm(canaryRate), baseline: arm(baselineRate) }));
}

describe('the bets on mirrored answers', () => {
  it.each([
    [1, 0.1, 0.01],
    [2, 0.05, 0.05],
    [3, 0.04, 0.001],
    [4, 0, 0.1],
  ])('are the weaker of two sums over effects and starts (seed %i)', (seed, canaryRate, baselineRate) => {
    const thePlan = planOf();
    const seconds = draw(seed, 50, canaryRate, baselineRate);
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (const [at, mirrored] of seconds.entries())
      judge.add({ startMs: at * 1000, canary: QUIET_ARM, baseline: QUIET_ARM, mirrored });
    const input = { step: 0, weightBp: 0, mirroring: true, revision: 1, stale: false, samples: [null] };
    const [check] = judge.check({ ...input, nowMs: 51_000 }).checks;
    const cap = Math.log(1 / thePlan.falseAbort) / 2;
    const expected = Math.min(plainly(seconds, cap, coin), plainly(seconds, cap, beyondLimit));
    expect((check?.proof?.worse ?? 0) / expected).toBeCloseTo(1, 6);
    expect(check?.proof?.share).toBe(1);
  });

  it('come to a proof about when the forecast says', () => {
    const thePlan = planOf();
    // 20 % of 60/s, half of it asked of the canary: as many as are drawn.
    const [step] = forecast(thePlan, { requestsPerSecond: 60, errorRate: 0 }).steps;
    const median = step?.sights[0]?.seconds.median ?? 0;
    const times: number[] = [];
    for (let seed = 1; seed <= 41; seed += 1) {
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      const seconds = draw(seed, 2_000, 2 * LIMIT, 0);
      const at = seconds.findIndex((mirrored, second) => {
        judge.add({ startMs: second * 1000, canary: QUIET_ARM, baseline: QUIET_ARM, mirrored });
        const wealth = judge.memory.rules[0]?.wealth;
        const sum = (parts: readonly number[] = []) => parts.reduce((total, each) => total + each, 0);
        return Math.min(sum(wealth?.worse.parts), sum(wealth?.floor?.parts)) >= 1 / thePlan.falseAbort;
      });
      times.push(at < 0 ? 2_000 : at);
    }
    const seen = times.sort((a, b) => a - b)[20] ?? 0;
    expect(step?.requests).toBe(3_600);
    expect(seen / median).toBeGreaterThan(0.6);
    expect(seen / median).toBeLessThan(1.6);
  });
});
