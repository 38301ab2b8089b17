import { describe, expect, it } from 'vitest';
import type { CounterInterval } from '../../../src/core/analysis/counter-interval.ts';
import { CounterCutter } from '../../../src/core/analysis/counter-reading.ts';
import { betRatio, capAt, emptyWealth, idleUntil, total } from '../../../src/core/analysis/e-value.ts';
import type { JudgeInput, JudgeMemory } from '../../../src/core/analysis/judge.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Condition } from '../../../src/core/domain/rule.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { Pod, readingOf } from './scraped.ts';
import { second } from './seconds.ts';

const { Random } = await loadJudge<RandomModule>('random');

const S = 15;
const ratio: Condition = { kind: 'rate-ratio', factor: 2 };
const limit: Condition = { kind: 'rate-limit', limit: 0.02 };

function planOf(falseAbort: number, ...conditions: readonly Condition[]) {
  const rule = { ...RULE, source: 'prometheus', overMs: 300_000, minRequests: 1 } as const;
  return plan({ falseAbort, abort: conditions.map((condition) => ({ ...rule, condition })) });
}

function look(rules: number, nowMs: number): JudgeInput {
  const samples = Array.from({ length: rules }, () => null);
  return { step: 0, weightBp: 500, revision: 1, stale: true, samples, nowMs };
}

function interval(
  at: number,
  canary: readonly [number, number],
  baseline: readonly [number, number],
): CounterInterval {
  const arm = ([bad, all]: readonly [number, number]) => ({ bad, total: all });
  const span = { fromMs: at * S * 1000, toMs: (at + 1) * S * 1000 };
  return { rule: 0, ...span, canary: arm(canary), baseline: arm(baseline), apart: false, bet: 'all' };
}

describe('bets on intervals between scrapes', () => {
  const thePlan = planOf(0.01, ratio);
  const judged = (intervals: readonly CounterInterval[], memory: JudgeMemory = emptyMemory(thePlan)) => {
    const judge = createSequentialJudge(thePlan, memory);
    for (const each of intervals) judge.count(each);
    const check = judge.check(look(1, (intervals.at(-1)?.toMs ?? 0) + 1000)).checks[0];
    return { check, memory: judge.memory };
  };

  it('abort a bad canary, with the numbers of the intervals, whether or not gateways report', () => {
    const { check } = judged([0, 1, 2, 3].map((at) => interval(at, [15, 150], [14, 2850])));
    expect(check).toMatchObject({
      verdict: 'fail',
      evidence: { kind: 'rate', canary: { bad: 60, total: 600 }, baseline: { bad: 56, total: 11_400 } },
    });
    expect(check?.proof?.worse).toBeGreaterThan(100);
  });

  it('are one bet each: a burst in one interval proves nothing alone', () => {
    const { check } = judged([interval(0, [150, 150], [0, 2850])]);
    expect(check?.verdict).toBe('undecided');
    expect(check?.proof?.worse).toBeLessThan(10);
    expect(judged([0, 1].map((at) => interval(at, [150, 150], [0, 2850]))).check?.verdict).toBe('undecided');
    expect(judged([0, 1, 2].map((at) => interval(at, [150, 150], [0, 2850]))).check?.verdict).toBe('fail');
  });

  it('are the bets of one second, after so many without anything to bet on', () => {
    const limits = { cap: capAt(0.01), clustering: 1 };
    const counts = { canary: 150, canaryBad: 3, baseline: 2850, baselineBad: 15 };
    const expected = betRatio(idleUntil(emptyWealth(), S - 1), 1, counts, limits);
    const { check } = judged([interval(0, [3, 150], [15, 2850])]);
    expect(check?.proof?.worse).toBe(total(expected));
  });

  it('move twice as carefully between versions that are scraped at different moments', () => {
    const apart = Array.from({ length: 6 }, (_, at) => ({
      ...interval(at, [150, 150], [0, 2850]),
      apart: true,
    }));
    expect([3, 4, 5].map((count) => judged(apart.slice(0, count)).check?.verdict)).toEqual([
      'undecided',
      'undecided',
      'fail',
    ]);
  });

  it('say nothing where weights moved, and nothing for a step that they were not of', () => {
    const before = judged([interval(0, [3, 150], [15, 2850])]).memory.rules[0]?.wealth;
    const followedBy = (bet: CounterInterval['bet']) =>
      judged([interval(0, [3, 150], [15, 2850]), { ...interval(1, [9, 150], [15, 2850]), bet }]);
    expect(followedBy('nothing').memory.rules[0]).toMatchObject({
      wealth: before,
      countedToMs: 2 * S * 1000,
    });
    expect(followedBy('nothing').check?.evidence).toMatchObject({ canary: { bad: 12 } });
    const worse = followedBy('worse').memory.rules[0]?.wealth;
    expect(worse?.fine).toEqual(before?.fine);
    expect(worse?.worse).not.toEqual(before?.worse);
    expect(followedBy('all').memory.rules[0]?.wealth?.fine).not.toEqual(before?.fine);
  });

  it('are made once, also by a judge that goes on from a stored memory', () => {
    const intervals = Array.from({ length: 8 }, (_, at) => interval(at, [at % 3, 150], [15, 2850]));
    const whole = judged(intervals);
    const stored = JSON.parse(JSON.stringify(judged(intervals.slice(0, 5)).memory)) as JudgeMemory;
    // The intervals of the window come again, then those that follow.
    const resumed = judged(intervals, stored);
    expect(resumed.memory.rules).toEqual(whole.memory.rules);
    expect(resumed.check?.evidence).toEqual(whole.check?.evidence);
  });

  it('take their share of the one budget, and leave the seconds of telemetry to other rules', () => {
    const both = { ...thePlan, abort: [...thePlan.abort, { ...RULE, minRequests: 1 }] };
    const judge = createSequentialJudge(both, emptyMemory(both));
    for (let at = 0; at < 60; at += 1) judge.add(second(at, { ok: 5, bad: 5 }, { ok: 190 }));
    const { checks } = judge.check({ ...look(2, 61_000), stale: false });
    expect(checks.map(({ proof }) => proof?.share)).toEqual([0.5, 0.5]);
    expect(checks.map(({ verdict }) => verdict)).toEqual(['no-evidence', 'fail']);
    expect(checks[0]?.proof?.worse).toBeLessThan(1);
  });

  it('prove a step', () => {
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const proven: boolean[] = [];
    for (let at = 0; at < 40; at += 1) {
      judge.count(interval(at, [1, 300], [20, 5700]));
      proven.push(judge.check(look(1, (at + 2) * S * 1000)).proven);
    }
    expect([proven[0], proven.at(-1)]).toEqual([false, true]);
  });
});

describe('a canary that is no worse, by its counters', () => {
  const BUDGET = 0.1;
  const RUNS = 25;
  const SECONDS = 2400;
  const thePlan = planOf(BUDGET, ratio, limit);

  /** Pods of both versions, scraped at the same or at random moments; the error rate of both moves alike. */
  function run(seed: number, rateAt: (second: number) => number, together: boolean): boolean {
    const random = new Random(seed, 11);
    const newPod = (name: string) =>
      new Pod(name, together ? 0 : Math.floor(random.uniform() * S * 1000), S * 1000);
    const [canary, baseline] = [newPod('canary'), newPod('baseline')];
    for (let at = 0; at < SECONDS; at += 1) {
      for (const [pod, mean] of [
        [canary, 20],
        [baseline, 180],
      ] as const) {
        const requests = random.poisson(mean);
        pod.count(at * 1000 + 500, requests, random.binomial(requests, rateAt(at)));
        // Now and then a process begins again.
        if (random.uniform() < 1 / 900) pod.restart();
      }
    }
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const cutter = new CounterCutter(readingOf([canary], [baseline]), S * 1000);
    for (let at = 1; (at + 2) * S < SECONDS; at += 1) {
      const counted = cutter.cut(at * S * 1000, (at + 1) * S * 1000);
      if ('cause' in counted) throw new Error(counted.detail);
      for (const rule of [0, 1]) judge.count({ rule, ...counted, bet: 'all' });
      const { checks } = judge.check(look(2, (at + 2) * S * 1000));
      if (checks.some(({ verdict }) => verdict === 'fail')) return true;
    }
    return false;
  }

  let aborted = 0;
  const shapes: readonly [string, (second: number) => number, boolean][] = [
    ['steady', () => 0.005, true],
    ['just within its fixed limit', () => 0.02, true],
    ['with incidents of both', (at) => (at % 173 < 20 ? 0.05 : 0.002), true],
    ['steady, in pods of their own', () => 0.005, false],
    ['with incidents of both, in pods of their own', (at) => (at % 173 < 20 ? 0.05 : 0.002), false],
  ];

  it.each(shapes)('is not aborted more often than accepted: %s', (_title, rateAt, together) => {
    const runs = Array.from({ length: RUNS }, (_, seed) => run(seed, rateAt, together));
    const here = runs.filter(Boolean).length;
    aborted += here;
    // Nine of 25 have a chance below 1 in 1000 at a rate of 10 %.
    expect(here).toBeLessThan(9);
  });

  it('is not aborted more often than accepted in all of them together', () => {
    const runs = RUNS * shapes.length;
    expect(aborted).toBeLessThan(runs * BUDGET + 2 * Math.sqrt(runs * BUDGET * (1 - BUDGET)));
  });
});
