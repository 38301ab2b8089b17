import { describe, expect, it } from 'vitest';
import type { Judge } from '../../../src/core/analysis/judge.ts';
import { QUIET_ARM } from '../../../src/core/analysis/second.ts';
import { sumArms } from '../../../src/core/analysis/second-parts.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Check } from '../../../src/core/domain/rule.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';
import type { Draws } from './parts.ts';

const { Random } = await loadJudge<RandomModule>('random');

/** Of requests that fail where all is well. */
const RATE = 0.005;
const RARE = 0.001;
const thePlan = plan({
  abort: [{ ...RULE, overMs: 300_000, minRequests: 20 }],
  falseAbort: 0.01,
  segmentShare: 0.1,
});

interface Traffic {
  readonly instances: number;
  /** Canary requests per second; the baseline gets four times as many. */
  readonly perSecond: number;
  /** Error rate of the baseline. */
  readonly rate?: number;
  /** Error rate of an instance on the larger route, and on the one with a tenth of the traffic. */
  readonly rates: (instance: number, second: number) => readonly [list: number, checkout: number];
}

const counted = (total: number, bad: number) => ({ ...QUIET_ARM, total, bad, distinctBad: bad, seen: total });
const draw = (random: Draws, mean: number, rate: number) => {
  const total = random.poisson(mean);
  return counted(total, random.binomial(total, rate));
};

function addSecond(judge: Judge, random: Draws, at: number, traffic: Traffic): void {
  const { instances, perSecond, rate = RATE, rates } = traffic;
  const routes = Array.from({ length: instances }, (_, instance) => {
    const [list, checkout] = rates(instance, at);
    const mean = perSecond / instances;
    return { list: draw(random, 0.9 * mean, list), checkout: draw(random, 0.1 * mean, checkout) };
  });
  const list = sumArms(routes.map((route) => route.list));
  const checkout = sumArms(routes.map((route) => route.checkout));
  const other = {
    list: draw(random, 3.6 * perSecond, rate),
    checkout: draw(random, 0.4 * perSecond, rate),
  };
  judge.add({
    startMs: at * 1000,
    canary: sumArms([list, checkout]),
    baseline: sumArms([other.list, other.checkout]),
    segments: {
      'route=list': { canary: list, baseline: other.list },
      'route=checkout': { canary: checkout, baseline: other.checkout },
    },
    instances: Object.fromEntries(
      routes.map((route, n) => [`http://pod-${n}:80`, sumArms([route.list, route.checkout])]),
    ),
  });
}

interface Run {
  readonly abortS: number | null;
  /** Instances that checks have named. */
  readonly named: ReadonlySet<string>;
  readonly judge: Judge;
}

function judged(traffic: Traffic, seconds: number, seed: number): Run {
  const random = new Random(seed);
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  const named = new Set<string>();
  for (let at = 1; at <= seconds; at += 1) {
    addSecond(judge, random, at, traffic);
    const look = { step: 0, weightBp: 2_000, revision: 1, stale: false, samples: [null] };
    const check = judge.check({ ...look, nowMs: (at + 2) * 1000 }).checks[0] as Check;
    if (check.proof?.instance !== undefined) named.add(check.proof.instance);
    if (check.verdict === 'fail') return { abortS: at, named, judge };
  }
  return { abortS: null, named, judge };
}

describe('a version of many instances', () => {
  it('of which the last one dies for a quarter of a minute is held, not aborted, and the instance named', () => {
    const blip: Traffic = {
      instances: 100,
      perSecond: 200,
      rate: RARE,
      rates: (instance, at) => (instance === 99 && at >= 60 && at < 75 ? [1, 1] : [RARE, RARE]),
    };
    const { abortS, named } = judged(blip, 180, 3);
    expect(abortS).toBeNull();
    expect([...named]).toEqual(['http://pod-99:80']);
  });

  it('is aborted when one of them goes on failing until the version answers for it', () => {
    const sick: Traffic = {
      instances: 256,
      perSecond: 600,
      rates: (instance, at) => (instance >= 250 && at >= 60 ? [1, 1] : [RATE, RATE]),
    };
    expect(judged(sick, 240, 3).abortS).toBeLessThan(200);
  });

  it('is no more in doubt than one of few: bad luck of one among hundreds does not hide a bad route', () => {
    const took = (instances: number): number => {
      const seeds = [1, 2, 3, 4, 5];
      const worse: Traffic = {
        instances,
        perSecond: 1_000,
        rates: (_, at) => [RATE, at > 150 ? 0.03 : RATE],
      };
      return seeds.reduce((sum, seed) => sum + (judged(worse, 400, seed).abortS ?? 400) - 150, 0) / 5;
    };
    expect(took(256)).toBeLessThan(2 * took(4));
  });

  it('has a bounded number of accounts to remember', () => {
    const well: Traffic = { instances: 256, perSecond: 1_000, rates: () => [RATE, RATE] };
    const { judge } = judged(well, 30, 1);
    expect(Object.keys(judge.memory.instances.accounts)).toHaveLength(32);
    expect(judge.memory.instances.most).toBe(256);
  });

  it('goes on from a memory that was stored before their number was known', () => {
    const well: Traffic = { instances: 4, perSecond: 100, rates: () => [RATE, RATE] };
    const { memory } = judged(well, 30, 1).judge;
    const { most: _unknown, ...older } = memory.instances;
    const judge = createSequentialJudge(thePlan, {
      ...memory,
      instances: older as typeof memory.instances,
    });
    expect(judge.memory.instances).toEqual({ ...older, most: 0 });
  });
});
