import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betRatio, capAt, emptyWealth, idleUntil } from '../../../src/core/analysis/e-value.ts';
import type { Judge } from '../../../src/core/analysis/judge.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Check } from '../../../src/core/domain/rule.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { drawn, secondOfParts } from './parts.ts';
import type { ArmLike } from './seconds.ts';

const { Random } = await loadJudge<RandomModule>('random');

function planOf(changes: Partial<Plan> = {}): Plan {
  const ratio = { ...RULE, text: '5xx > 2x', overMs: 300_000, minRequests: 20 };
  return plan({ abort: [ratio], segmentShare: 0.1, ...changes });
}

function lookAt(judge: Judge, at: number): Check {
  const look = { step: 0, weightBp: 1_000, revision: 1, stale: false, samples: [null] };
  return judge.check({ ...look, nowMs: (at + 2) * 1000 }).checks[0] as Check;
}

/** Until the first failing check, at most `seconds`. */
function run(
  judge: Judge,
  seconds: number,
  at: (second: number) => Readonly<Record<string, { canary: ArmLike; baseline: ArmLike }>>,
): { readonly check: Check; readonly second: number } {
  let check: Check | undefined;
  for (let second = 1; second <= seconds; second += 1) {
    judge.add(secondOfParts(second, { segments: at(second) }));
    check = lookAt(judge, second);
    if (check.verdict === 'fail') return { check, second };
  }
  return { check: check as Check, second: seconds };
}

/** Most traffic is on one route and fine; one in forty requests is a checkout. */
function oneRouteBreaks(seed: number) {
  const random = new Random(seed);
  return () => ({
    'route=list': { canary: drawn(random, 39, 0.01), baseline: drawn(random, 351, 0.01) },
    'route=checkout': { canary: drawn(random, 1, 0.15), baseline: drawn(random, 9, 0.01) },
  });
}

describe('a regression of one segment', () => {
  it('is found and named though the whole of the traffic keeps the limit', () => {
    const judge = createSequentialJudge(planOf(), emptyMemory(planOf()));
    const { check, second } = run(judge, 300, oneRouteBreaks(7));
    expect(check.verdict).toBe('fail');
    expect(check.segment).toBe('route=checkout');
    expect(check.summary).toMatch(/^route=checkout: canary \d+(\.\d+)?% 5xx .* is over 2x the baseline's/);
    expect(second).toBeLessThan(200);
    const { evidence } = check;
    expect(evidence.kind === 'rate' && evidence.canary.total).toBeLessThan(200);
  });

  it('takes longer, and aborts only by the whole, when nobody looks into segments', () => {
    const blind = planOf({ segmentShare: 0 });
    const judge = createSequentialJudge(blind, emptyMemory(blind));
    const { check, second } = run(judge, 300, oneRouteBreaks(7));
    expect(check.segment).toBeUndefined();
    const seeing = createSequentialJudge(planOf(), emptyMemory(planOf()));
    expect(run(seeing, 300, oneRouteBreaks(7)).second).toBeLessThan(second);
  });

  it('is found after a restart at the same second, from what is remembered', () => {
    const thePlan = planOf();
    const whole = run(createSequentialJudge(thePlan, emptyMemory(thePlan)), 300, oneRouteBreaks(3));
    const traffic = oneRouteBreaks(3);
    const seconds = Array.from({ length: whole.second }, (_, i) =>
      secondOfParts(i + 1, { segments: traffic() }),
    );
    const first = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (const [i, second] of seconds.slice(0, 20).entries()) {
      first.add(second);
      lookAt(first, i + 1);
    }
    const again = createSequentialJudge(thePlan, JSON.parse(JSON.stringify(first.memory)));
    for (const second of seconds.slice(0, 20)) again.recall(second);
    let check: Check | undefined;
    for (const [i, second] of seconds.slice(20).entries()) {
      again.add(second);
      check = lookAt(again, i + 21);
    }
    expect(check).toEqual(whole.check);
  });

  it('holds the rollout back, and says where, while it is suspected but not proven', () => {
    const thePlan = planOf({ falseAbort: 1e-6 });
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const traffic = oneRouteBreaks(7);
    let held: Check | undefined;
    for (let second = 1; second <= 300 && held === undefined; second += 1) {
      judge.add(secondOfParts(second, { segments: traffic() }));
      const check = lookAt(judge, second);
      if (check.segment !== undefined && check.verdict === 'undecided') held = check;
    }
    expect(held?.segment).toBe('route=checkout');
    expect(held?.breachedSinceMs).not.toBeNull();
  });

  it('is forgiven when the segment has had no traffic for as long as the rule looks back', () => {
    const thePlan = planOf({ falseAbort: 1e-12 });
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const quiet = { 'route=list': { canary: { ok: 40 }, baseline: { ok: 360 } } };
    run(judge, 60, oneRouteBreaks(7));
    for (let second = 61; second <= 400; second += 1) judge.add(secondOfParts(second, { segments: quiet }));
    const check = lookAt(judge, 400);
    expect([check.segment, check.verdict, check.breachedSinceMs]).toEqual([undefined, 'pass', null]);
  });
});

describe('looking into many segments', () => {
  it('aborts a canary that is no worse anywhere no more often than accepted', () => {
    const budget = 0.1;
    // All of the budget that may go there: the whole of the traffic can hardly use its own.
    const thePlan = planOf({ falseAbort: budget, segmentShare: 0.5 });
    const runs = 40;
    let aborted = 0;
    let broken = 0;
    for (let seed = 0; seed < runs; seed += 1) {
      const random = new Random(400 + seed);
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      const { check } = run(judge, 250, () =>
        Object.fromEntries(
          Array.from({ length: 20 }, (_, at) => [
            `route=r${at}`,
            { canary: drawn(random, 1, 0.05), baseline: drawn(random, 9, 0.05) },
          ]),
        ),
      );
      if (check.verdict === 'fail') aborted += 1;
      if (check.breachedSinceMs !== null) broken += 1;
    }
    // Ten of 40 have a chance of 1 in 200 at a rate of 10 %; with 20 tests at 10 % each nearly all would abort.
    expect(aborted).toBeLessThan(10);
    expect(broken).toBeLessThan(runs);
  }, 60_000);

  it('costs the rules exactly the part of the budget that the plan gives away', () => {
    const judge = createSequentialJudge(planOf({ segmentShare: 0.25 }), emptyMemory(planOf()));
    expect(lookAt(judge, 1).proof?.share).toBeCloseTo(0.75, 12);
  });
});

describe('seconds without anything to bet on', () => {
  it('property: are made up for in one go exactly as one by one', () => {
    const nothing = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };
    const limits = { cap: capAt(0.01), clustering: 1 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 300 }), (before, idle) => {
        const start = idleUntil(emptyWealth(), before);
        let slow = start;
        for (let i = 0; i < idle; i += 1) slow = betRatio(slow, 1, nothing, limits);
        const fast = idleUntil(start, before + idle);
        expect(fast.seconds).toBe(slow.seconds);
        for (const [at, part] of fast.parts.entries()) expect(part).toBeCloseTo(slow.parts[at] as number, 10);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a slow segment', () => {
  const around = (random: InstanceType<RandomModule['Random']>, count: number, ms: number): ArmLike => ({
    ok: count,
    latenciesMs: Array.from({ length: count }, () => ms * (0.5 + random.uniform())),
  });

  it('is found by its own baseline, though it is faster than the rest of the traffic', () => {
    const slower = {
      ...RULE,
      text: 'p95 > +50%',
      condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
      overMs: 60_000,
      minRequests: 20,
    } as const;
    const thePlan = planOf({ abort: [slower] });
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const random = new Random(11);
    const { check, second } = run(judge, 200, (at) => ({
      'route=reports': { canary: around(random, 20, 400), baseline: around(random, 100, 400) },
      'route=list': { canary: around(random, 4, at > 60 ? 80 : 20), baseline: around(random, 20, 20) },
    }));
    expect(check).toMatchObject({ verdict: 'fail', segment: 'route=list', evidence: { kind: 'quantile' } });
    expect(check.summary).toMatch(/^route=list: canary p95 /);
    expect(second).toBeGreaterThan(60);
    expect(second).toBeLessThan(90);
  });
});
