import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betRatio, capAt, emptyWealth, total } from '../../../src/core/analysis/e-value.ts';
import { Histogram } from '../../../src/core/analysis/histogram.ts';
import type { JudgeInput } from '../../../src/core/analysis/judge.ts';
import type { ArmSecond, Second } from '../../../src/core/analysis/second.ts';
import { SecondLedger } from '../../../src/core/analysis/second-ledger.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Condition } from '../../../src/core/domain/rule.ts';
import {
  NO_OUTCOMES,
  type TelemetrySummary,
  type VersionSummary,
} from '../../../src/core/domain/telemetry.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { judgeSlowly } from './slow-judge.ts';

const { Random } = await loadJudge<RandomModule>('random');
type Draws = InstanceType<RandomModule['Random']>;

function planOf(conditions: readonly Condition[], falseAbort: number): Plan {
  const abort = conditions.map((condition) => ({
    ...RULE,
    condition,
    text: condition.kind,
    overMs: 60_000,
    minRequests: 1,
  }));
  return plan({ abort, falseAbort });
}

function look(thePlan: Plan, nowMs: number): JudgeInput {
  return { step: 0, weightBp: 500, revision: 1, stale: false, samples: thePlan.abort.map(() => null), nowMs };
}

/** Requests and error rate of one second, the same for both versions. */
interface Moment {
  readonly rps: number;
  readonly weight: number;
  readonly rate: number;
}

interface Shape {
  readonly at: (second: number) => Moment;
  /** Failures per sticky key. */
  readonly cluster?: number;
}

/** A version that fails `rate` of `mean` requests, each failing key several times within the second. */
function counts(random: Draws, mean: number, rate: number, cluster: number): ArmSecond {
  const distinctBad = random.poisson((mean * rate) / cluster);
  let bad = 0;
  for (let i = 0; i < distinctBad; i += 1) bad += random.geometric(cluster);
  const requests = random.poisson(mean * (1 - rate)) + bad;
  return { total: requests, bad, distinctBad, seen: requests, latencyUs: [] };
}

/** Whether a rule's limit was ever broken by its estimate, and whether that became an abort. */
function judgedRun(
  thePlan: Plan,
  shape: Shape,
  seed: number,
  seconds: number,
): { readonly broken: boolean; readonly aborted: boolean } {
  let broken = false;
  const random = new Random(seed, 1);
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  for (let at = 0; at < seconds; at += 1) {
    const { rps, weight, rate } = shape.at(at);
    const cluster = shape.cluster ?? 1;
    judge.add({
      startMs: at * 1000,
      canary: counts(random, rps * weight, rate, cluster),
      baseline: counts(random, rps * (1 - weight), rate, cluster),
    });
    const { checks } = judge.check(look(thePlan, (at + 2) * 1000));
    broken ||= checks.some(({ breachedSinceMs }) => breachedSinceMs !== null);
    if (checks.some(({ verdict }) => verdict === 'fail')) return { broken, aborted: true };
  }
  return { broken, aborted: false };
}

const steady =
  (rps: number, weight: number, rate: number): Shape['at'] =>
  () => ({ rps, weight, rate });

describe('a canary that is no worse', () => {
  const BUDGET = 0.1;
  const RUNS = 30;
  const LOOKS = 450;
  const thePlan = planOf(
    [
      { kind: 'rate-ratio', factor: 1.5 },
      { kind: 'rate-limit', limit: 0.5 },
    ],
    BUDGET,
  );
  const shapes: readonly [string, Shape][] = [
    ['at 2 requests per second', { at: steady(2, 0.2, 0.02) }],
    ['at 20 requests per second', { at: steady(20, 0.05, 0.02) }],
    ['at 200 requests per second', { at: steady(200, 0.05, 0.01) }],
    ['at 200 requests per second, half of them', { at: steady(200, 0.5, 0.01) }],
    ['at 20 000 requests per second, one in a thousand', { at: steady(20_000, 0.001, 0.01) }],
    [
      'through an incident of both versions',
      { at: (at) => ({ rps: 200, weight: 0.05, rate: at > 150 && at < 250 ? 0.3 : 0.01 }) },
    ],
    [
      'through three changes of its weight',
      { at: (at) => ({ rps: 200, weight: [0.01, 0.1, 0.5][Math.floor(at / 150)] ?? 0.5, rate: 0.01 }) },
    ],
    [
      'under traffic and errors that swing',
      {
        at: (at) => ({
          rps: 200 * (1 + 0.8 * Math.sin(at / 50)),
          weight: 0.05,
          rate: 0.01 * (1 + 0.6 * Math.sin(at / 37)),
        }),
      },
    ],
    ['whose failing keys fail five times', { at: steady(200, 0.05, 0.02), cluster: 5 }],
  ];
  let abortedOverall = 0;
  let brokenOverall = 0;

  it.each(shapes)('is not aborted more often than accepted over many looks: %s', (_title, shape) => {
    const runs = Array.from({ length: RUNS }, (_, run) => judgedRun(thePlan, shape, 1000 + run, LOOKS));
    const aborted = runs.filter((run) => run.aborted).length;
    abortedOverall += aborted;
    brokenOverall += runs.filter((run) => run.broken).length;
    // Nine of 30 have a chance of 1 in 500 at a rate of 10 %.
    expect(aborted).toBeLessThan(9);
  });

  it('is not aborted more often than accepted in all of them together', () => {
    const runs = RUNS * shapes.length;
    const spread = Math.sqrt(runs * BUDGET * (1 - BUDGET));
    expect(abortedOverall).toBeLessThan(runs * BUDGET + 2 * spread);
  });

  it('is often beyond the limit by its estimate, which alone would have aborted it', () => {
    expect(brokenOverall).toBeGreaterThan((RUNS * shapes.length) / 3);
  });

  it('wins nothing over a day of looks every second', () => {
    const limits = { cap: capAt(BUDGET), clustering: 1 };
    let won = 0;
    for (let run = 0; run < 5; run += 1) {
      const random = new Random(run, 2);
      let wealth = emptyWealth();
      let highest = 0;
      for (let at = 0; at < 86_400; at += 1) {
        const swing = 1 + 0.7 * Math.sin(at / 13_750);
        const canary = Math.round(10 * swing);
        const baseline = 19 * canary;
        const canaryBad = random.binomial(canary, 0.005 * swing);
        const baselineBad = random.binomial(baseline, 0.005 * swing);
        wealth = betRatio(wealth, 1, { canary, baseline, canaryBad, baselineBad }, limits);
        highest = Math.max(highest, total(wealth));
      }
      if (highest >= 1 / BUDGET) won += 1;
    }
    // Three of five have a chance below 1 in 100 at a rate of 10 %.
    expect(won).toBeLessThan(3);
  });
});

/** Traffic with latencies: the canary somewhat slower and failing more, some keys repeatedly. */
function eventful(seed: number, seconds: number, worse: number): Second[] {
  const random = new Random(seed, 3);
  const arm = (mean: number, rate: number, slower: number): ArmSecond => {
    const failed = counts(random, mean, rate, 2);
    const histogram = new Histogram();
    for (let i = 0; i < failed.total; i += 1) {
      histogram.record(1000 * 80 * slower * Math.exp(0.5 * random.normal()));
    }
    return { ...failed, latencyUs: histogram.toWire() };
  };
  return Array.from({ length: seconds }, (_, at) => ({
    startMs: at * 1000,
    canary: arm(6, 0.04 * (at > seconds / 2 ? worse : 1), at > seconds / 2 ? Math.sqrt(worse) : 1),
    baseline: arm(24, 0.04, 1),
  }));
}

describe('the judge', () => {
  const conditions: readonly Condition[] = [
    { kind: 'rate-ratio', factor: 1.5 },
    { kind: 'rate-limit', limit: 0.06 },
    { kind: 'quantile-ratio', quantile: 0.9, factor: 1.2 },
    { kind: 'quantile-limit', quantile: 0.9, limitMs: 220 },
  ];

  /** Relative; what is certain needs no number, and the judge does not keep one. */
  const difference = (one = 0, other = 0): number =>
    Math.abs(Math.min(one, 1e12) / Math.min(other, 1e12) - 1);

  it.each([1, 1.3, 2.5])(
    'agrees with one that computes everything anew from all seconds, canary %d times as bad',
    (worse) => {
      const thePlan = planOf(conditions, 0.01);
      const seconds = eventful(Math.round(worse * 10), 200, worse);
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      const looks = new Set([1, 20, 61, 110, 125, 150, 200]);
      for (const [at, each] of seconds.entries()) {
        judge.add(each);
        const { checks } = judge.check(look(thePlan, (at + 2) * 1000));
        if (!looks.has(at + 1)) continue;
        const slowly = judgeSlowly(thePlan, seconds.slice(0, at + 1));
        for (const [rule, { verdict, proof, breachedSinceMs }] of checks.entries()) {
          const expected = slowly[rule];
          expect(difference(proof?.worse, expected?.worse)).toBeLessThan(1e-9);
          expect(difference(proof?.fine, expected?.fine)).toBeLessThan(1e-9);
          expect([at, rule, verdict === 'fail', breachedSinceMs !== null]).toEqual([
            at,
            rule,
            expected?.fails,
            expected?.broken,
          ]);
        }
      }
    },
  );

  it('sees both outcomes in that comparison', () => {
    const thePlan = planOf(conditions, 0.01);
    const failing = (worse: number): boolean =>
      judgeSlowly(thePlan, eventful(Math.round(worse * 10), 200, worse)).some(({ fails }) => fails);
    expect([failing(1), failing(2.5)]).toEqual([false, true]);
  });
});

describe('seconds that several gateways report in parts', () => {
  const part = fc.record({
    ok: fc.nat({ max: 5 }),
    bad: fc.nat({ max: 2 }),
    repeated: fc.nat({ max: 1 }),
    latencyMs: fc.integer({ min: 1, max: 500 }),
  });
  const gateway = fc.record({ v1: part, v2: part });
  /** For each second, what each of the gateways saw. */
  const seconds = fc.array(fc.tuple(gateway, gateway, gateway), { minLength: 1, maxLength: 40 });
  type Part = { ok: number; bad: number; repeated: number; latencyMs: number };

  function version({ ok, bad, repeated, latencyMs }: Part): VersionSummary {
    const histogram = new Histogram();
    for (let i = 0; i < ok + bad; i += 1) histogram.record(latencyMs * 1000);
    const attempts = {
      outcomes: { ...NO_OUTCOMES, status2xx: ok, status5xx: bad },
      latencyUs: histogram.toWire(),
    };
    return { attempts, responses: attempts, forced: 0, distinctBad: Math.max(0, bad - repeated) };
  }

  function report(gatewayName: string, at: number, versions: TelemetrySummary['versions']): TelemetrySummary {
    const head = { service: 'orders', incarnation: 'a', revision: 1 };
    return { ...head, gateway: gatewayName, sequence: at + 1, secondMs: at * 1000, versions };
  }

  function evidenceOf(reports: readonly TelemetrySummary[], count: number): unknown {
    const ledger = new SecondLedger({ canary: 'v2', baseline: 'v1' }, 0);
    for (const each of reports) ledger.fold(each, count * 1000);
    const thePlan = planOf(
      [
        { kind: 'rate-ratio', factor: 1.5 },
        { kind: 'quantile-ratio', quantile: 0.9, factor: 1.2 },
      ],
      0.01,
    );
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (const each of ledger.close(count * 1000)) judge.add(each);
    const { checks } = judge.check(look(thePlan, (count + 1) * 1000));
    return { checks, memory: judge.memory };
  }

  it('are the same evidence in whatever parts and order they come', () => {
    fc.assert(
      fc.property(seconds, fc.infiniteStream(fc.nat({ max: 1000 })), (parts, order) => {
        const apart = parts.flatMap((gateways, at) =>
          gateways.map(({ v1, v2 }, name) => report(`gw-${name}`, at, { v1: version(v1), v2: version(v2) })),
        );
        const keyed = apart.map((each) => ({ each, key: order.next().value ?? 0 }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ each }) => each);
        // One gateway that saw all of it: the same parts, one after another, under one name.
        const alone = apart.map((each) => ({ ...each, gateway: 'gw' }));
        expect(evidenceOf(shuffled, parts.length)).toEqual(evidenceOf(alone, parts.length));
      }),
      { seed: 4, numRuns: 60 },
    );
  });
});
