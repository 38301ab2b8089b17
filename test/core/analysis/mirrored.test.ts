/** The judge on mirrored answers: noise never aborts, a difference does, and nothing else is judged meanwhile. */

import { describe, expect, it } from 'vitest';
import { Hindsight, meansOf, planOfThePast } from '../../../src/core/analysis/hindsight.ts';
import type { JudgeInput, JudgeOutput } from '../../../src/core/analysis/judge.ts';
import { MirrorNoise } from '../../../src/core/analysis/mirror-noise.ts';
import type { MirrorArm } from '../../../src/core/analysis/mirror-report.ts';
import { ASKED_AGAIN } from '../../../src/core/analysis/mirrored.ts';
import { type MirroredSecond, QUIET_ARM } from '../../../src/core/analysis/second.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Rule } from '../../../src/core/domain/rule.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';

const { Random } = await loadJudge<RandomModule>('random');
type Draws = InstanceType<RandomModule['Random']>;

const DIFFERS: Rule = {
  ...RULE,
  text: 'differs > 1%',
  condition: { kind: 'differs', limit: 0.01 },
  minRequests: 1,
};

function mirrorPlan(changes: Partial<Plan> = {}): Plan {
  const steps = plan().steps.map((step, index) =>
    index === 0 ? { ...step, weightBp: 0, mirrorBp: 1_000 } : step,
  );
  return plan({ steps, abort: [DIFFERS], ...changes });
}

function look(thePlan: Plan, nowMs: number, mirroring = true): JudgeInput {
  const samples = thePlan.abort.map(() => null);
  return { step: 0, weightBp: 0, mirroring, revision: 1, stale: false, samples, nowMs };
}

/** Probability that an answer of a version differs, by place. */
type Places = Readonly<Record<string, number>>;

interface World {
  readonly canary: Places;
  readonly baseline: Places;
  /** Mirrored requests in a second, mean. */
  readonly perSecond: number;
  /** Answers that share one draw: the same user asks again. */
  readonly cluster?: number;
}

/** A gateway: tosses the coin, learns the noise, counts. */
class Mirror {
  readonly #noise = new MirrorNoise();
  readonly #random: Draws;
  readonly #world: World;

  constructor(random: Draws, world: World) {
    this.#random = random;
    this.#world = world;
  }

  second(): MirroredSecond | undefined {
    const counts = { candidate: { compared: 0, differing: 0 }, baseline: { compared: 0, differing: 0 } };
    const { perSecond, cluster = 1 } = this.#world;
    const groups = this.#random.poisson(perSecond / cluster);
    for (let group = 0; group < groups; group += 1) {
      const draws = new Map<string, number>();
      for (let i = 0; i < cluster; i += 1) this.#answer(draws, counts);
    }
    const { candidate: canary, baseline } = counts;
    return canary.compared + baseline.compared === 0 ? undefined : { canary, baseline };
  }

  #answer(
    draws: Map<string, number>,
    counts: Record<MirrorArm, { compared: number; differing: number }>,
  ): void {
    const arm: MirrorArm = this.#random.uniform() < ASKED_AGAIN ? 'baseline' : 'candidate';
    const odds = arm === 'baseline' ? this.#world.baseline : this.#world.canary;
    const places = Object.keys(odds).filter((place) => {
      const draw = draws.get(place) ?? this.#random.uniform();
      draws.set(place, draw);
      return draw < (odds[place] ?? 0);
    });
    const differs = this.#noise.note(arm, places);
    if (differs === null) return;
    counts[arm].compared += 1;
    if (differs) counts[arm].differing += 1;
  }
}

function run(
  thePlan: Plan,
  world: World,
  seed: number,
  seconds: number,
): { readonly abortedAt: number | null; readonly last: JudgeOutput } {
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  const mirror = new Mirror(new Random(seed, 1), world);
  let last = judge.check(look(thePlan, 0));
  for (let at = 0; at < seconds; at += 1) {
    const mirrored = mirror.second();
    judge.add({ startMs: at * 1000, canary: QUIET_ARM, baseline: QUIET_ARM, ...(mirrored && { mirrored }) });
    last = judge.check(look(thePlan, (at + 2) * 1000));
    if (last.checks.some(({ verdict }) => verdict === 'fail')) return { abortedAt: at, last };
  }
  return { abortedAt: null, last };
}

describe('a rule about mirrored answers', () => {
  const noise: Places = { '/at': 1, '/id': 0.5, '/items/*/stock': 0.03, '/rare': 0.002 };
  const many: Places = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`/p${at}`, 0.01]));

  it.each<[string, World]>([
    ['clocks, ids and rare noise', { canary: noise, baseline: noise, perSecond: 20 }],
    ['few answers', { canary: noise, baseline: noise, perSecond: 0.7 }],
    ['twenty places that differ once in a hundred answers', { canary: many, baseline: many, perSecond: 20 }],
    ['the same in clusters of one user', { canary: many, baseline: many, perSecond: 20, cluster: 5 }],
    ['a canary that differs less', { canary: { '/at': 0.2 }, baseline: { '/at': 0.9 }, perSecond: 20 }],
  ])('leaves a canary alone that differs no more than the baseline from itself: %s', (_, world) => {
    // At the smallest limit only the comparison holds back. The budget of 50 runs and three standard deviations.
    const thePlan = mirrorPlan({ abort: [{ ...DIFFERS, condition: { kind: 'differs', limit: 0.000_1 } }] });
    const aborted = Array.from({ length: 50 }, (_, seed) => run(thePlan, world, seed + 1, 200)).filter(
      ({ abortedAt }) => abortedAt !== null,
    );
    expect(aborted.length).toBeLessThanOrEqual(2);
  });

  it('spends what it is allowed to, and no more, where differences are as likely on both sides', () => {
    // Every place is new, so that noise is never learnt: nothing but the coin tells the two apart.
    const thePlan = mirrorPlan({
      falseAbort: 0.2,
      abort: [{ ...DIFFERS, condition: { kind: 'differs', limit: 0.000_1 } }],
    });
    let aborted = 0;
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = new Random(seed, 2);
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      for (let at = 0; at < 150; at += 1) {
        const canary = { compared: random.poisson(5), differing: 0 };
        const baseline = { compared: random.poisson(5), differing: 0 };
        for (let i = 0; i < canary.compared; i += 1) canary.differing += random.uniform() < 0.3 ? 1 : 0;
        for (let i = 0; i < baseline.compared; i += 1) baseline.differing += random.uniform() < 0.3 ? 1 : 0;
        judge.add({
          startMs: at * 1000,
          canary: QUIET_ARM,
          baseline: QUIET_ARM,
          mirrored: { canary, baseline },
        });
        const { checks } = judge.check(look(thePlan, (at + 2) * 1000));
        if (checks[0]?.verdict !== 'fail') continue;
        aborted += 1;
        break;
      }
    }
    // 0.2 of 200 and three standard deviations; some of it is spent, or the test could not fail.
    expect(aborted).toBeLessThanOrEqual(40 + 17);
    expect(aborted).toBeGreaterThan(0);
  });

  it('aborts a canary with a wrong field, within seconds where the field is always wrong', () => {
    const world = { canary: { '/at': 1, '/total': 1 }, baseline: { '/at': 1 }, perSecond: 20 };
    for (let seed = 1; seed <= 20; seed += 1) {
      const { abortedAt, last } = run(mirrorPlan(), world, seed, 60);
      expect(abortedAt).not.toBeNull();
      expect(abortedAt ?? 99).toBeLessThan(12);
      expect(last.checks[0]?.evidence).toMatchObject({ kind: 'rate', of: 'differences', limit: 0.01 });
      expect(last.checks[0]?.summary).toMatch(
        /^canary differs in \S+% of its mirrored answers \(\d+\/\d+\), over 1%, the baseline from itself in 0% \(0\/\d+\); evidence \S+ of 100 needed$/,
      );
    }
  });

  it('finds one that differs in one of twenty answers, also with few of them', () => {
    const world = { canary: { '/total': 0.05 }, baseline: {}, perSecond: 4 };
    const found = Array.from({ length: 20 }, (_, seed) => run(mirrorPlan(), world, seed + 1, 900));
    expect(found.filter(({ abortedAt }) => abortedAt !== null).length).toBeGreaterThanOrEqual(19);
  });

  it('lets a canary be that differs less often than the limit, though it differs', () => {
    const world = { canary: { '/total': 0.02 }, baseline: {}, perSecond: 20 };
    const lenient = mirrorPlan({ abort: [{ ...DIFFERS, condition: { kind: 'differs', limit: 0.1 } }] });
    for (let seed = 1; seed <= 10; seed += 1) {
      const { abortedAt, last } = run(lenient, world, seed, 400);
      expect(abortedAt).toBeNull();
      // Enough to say that it keeps the limit.
      expect(last.proven).toBe(true);
      expect(last.checks[0]?.verdict).toBe('pass');
    }
  });

  it('has no evidence while nothing was compared, nor at a step that mirrors nothing, where it forgets a breach', () => {
    const thePlan = mirrorPlan();
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    expect(judge.check(look(thePlan, 1000)).checks[0]?.evidence).toMatchObject({ cause: 'not-mirrored' });
    const counts = { compared: 20, differing: 20 };
    const mirrored = { canary: counts, baseline: { compared: 20, differing: 0 } };
    judge.add({ startMs: 0, canary: QUIET_ARM, baseline: QUIET_ARM, mirrored });
    expect(judge.check(look(thePlan, 2000)).checks[0]?.breachedSinceMs).toBe(2000);
    const elsewhere = judge.check(look(thePlan, 3000, false)).checks[0];
    expect(elsewhere).toMatchObject({ verdict: 'no-evidence', breachedSinceMs: null });
    expect(elsewhere?.evidence).toMatchObject({ cause: 'no-mirror' });
  });

  it('is judged alone at a step that mirrors: rules about traffic neither judge nor keep the step from being proven', () => {
    const thePlan = mirrorPlan({ abort: [DIFFERS, RULE] });
    const world = { canary: { '/at': 1 }, baseline: { '/at': 1 }, perSecond: 20 };
    const { last } = run(thePlan, world, 1, 120);
    expect(last.checks.map(({ evidence }) => evidence.kind === 'none' && evidence.cause)).toEqual([
      false,
      'mirror-only',
    ]);
    expect(last.proven).toBe(true);
  });

  it('cannot be judged afterwards: nobody keeps the answers', () => {
    expect(meansOf(DIFFERS)).toBe('none');
    const thePlan = mirrorPlan();
    const past = new Hindsight(planOfThePast(thePlan));
    past.look(15_000);
    expect(past.report()[0]).toMatchObject({ means: 'none', abortedAtMs: null, gap: { cause: 'no-mirror' } });
  });

  it('goes on after a restart as if there had been none', () => {
    const thePlan = mirrorPlan();
    const whole = createSequentialJudge(thePlan, emptyMemory(thePlan));
    let parted = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const mirror = new Mirror(new Random(3, 3), {
      canary: { '/a': 0.02 },
      baseline: { '/b': 0.3 },
      perSecond: 8,
    });
    for (let at = 0; at < 60; at += 1) {
      const mirrored = mirror.second();
      const second = {
        startMs: at * 1000,
        canary: QUIET_ARM,
        baseline: QUIET_ARM,
        ...(mirrored && { mirrored }),
      };
      whole.add(second);
      parted.add(second);
      if (at % 20 === 19) parted = createSequentialJudge(thePlan, structuredClone(parted.memory));
    }
    expect(parted.memory).toEqual(whole.memory);
  });
});

describe('what is noise', () => {
  it('is every place at which the baseline has differed from itself before, and nothing else', () => {
    const noise = new MirrorNoise();
    for (let lesson = 0; lesson < 10; lesson += 1) expect(noise.note('baseline', ['/at'])).toBeNull();
    expect(noise.note('candidate', ['/at'])).toBe(false);
    expect(noise.note('candidate', ['/at', '/id'])).toBe(true);
    // The canary teaches nothing; the baseline's first difference counts, its second is noise.
    expect(noise.note('baseline', ['/id'])).toBe(true);
    expect(noise.note('baseline', ['/id'])).toBe(false);
    expect(noise.note('candidate', ['/id'])).toBe(false);
    expect(noise.note('candidate', [])).toBe(false);
  });

  it('counts nothing of answers that never have the same places', () => {
    const noise = new MirrorNoise();
    for (let at = 0; at < 2_010; at += 1) noise.note('baseline', [`/${at}`]);
    expect(noise.note('candidate', ['/new'])).toBeNull();
    expect(noise.note('baseline', [])).toBeNull();
  });
});
