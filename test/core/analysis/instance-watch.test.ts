import { describe, expect, it } from 'vitest';
import type { Judge } from '../../../src/core/analysis/judge.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Check } from '../../../src/core/domain/rule.ts';
import { loadJudge, type RandomModule } from '../../bench/judges.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { type Draws, drawn, secondOfParts } from './parts.ts';
import type { ArmLike } from './seconds.ts';

const { Random } = await loadJudge<RandomModule>('random');

const PODS = ['http://10.0.0.1:80', 'http://10.0.0.2:80', 'http://10.0.0.3:80', 'http://10.0.0.4:80'];
const [SICK = ''] = PODS;

const thePlan: Plan = plan({
  abort: [{ ...RULE, overMs: 300_000, minRequests: 20 }],
  falseAbort: 0.01,
  segmentShare: 0.1,
});

/** Error rate of an instance in a second; of an unknown one: of the baseline. */
type Rates = (pod: string, second: number) => number;

function add(
  judge: Judge,
  second: number,
  random: Draws,
  rates: Rates,
  pods: readonly string[] = PODS,
): void {
  const instances = Object.fromEntries(
    pods.map((pod) => [pod, drawn(random, 20 / pods.length, rates(pod, second))]),
  );
  const canary = Object.values(instances).reduce<{ ok: number; bad: number }>(
    (sum, { ok = 0, bad = 0 }: ArmLike) => ({ ok: sum.ok + ok, bad: sum.bad + bad }),
    { ok: 0, bad: 0 },
  );
  const segments = { 'route=orders': { canary, baseline: drawn(random, 180, rates('', second)) } };
  judge.add(secondOfParts(second, { segments, instances }));
}

function lookAt(judge: Judge, second: number): Check {
  const look = { step: 0, weightBp: 1_000, revision: 1, stale: false, samples: [null] };
  return judge.check({ ...look, nowMs: (second + 2) * 1000 }).checks[0] as Check;
}

interface Seen {
  readonly second: number;
  readonly check: Check;
}

function looks(rates: Rates, seconds: number, pods: readonly string[] = PODS, seed = 5): readonly Seen[] {
  const random = new Random(seed);
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  const seen: Seen[] = [];
  for (let second = 1; second <= seconds; second += 1) {
    add(judge, second, random, rates, pods);
    const check = lookAt(judge, second);
    seen.push({ second, check });
    if (check.verdict === 'fail') break;
  }
  return seen;
}

const abortOf = (seen: readonly Seen[]): Seen | undefined =>
  seen.find(({ check }) => check.verdict === 'fail');

const blip: Rates = (pod, second) => (pod === SICK && second >= 100 && second < 110 ? 1 : 0.005);

describe('one bad instance among several', () => {
  it('that dies for ten seconds holds the rollout, is named, and does not abort it', () => {
    const seen = looks(blip, 900);
    expect(abortOf(seen)).toBeUndefined();
    const held = seen.find(({ check }) => check.proof?.instance !== undefined);
    expect(held?.second).toBeLessThan(115);
    expect(held?.check).toMatchObject({ verdict: 'undecided', proof: { instance: SICK } });
    expect(held?.check.breachedSinceMs).not.toBeNull();
    expect(held?.check.summary).toContain(`one instance stands out, ${SICK}: the others keep the limit`);
    // Once the rule's window has passed it, nothing is left of it.
    expect(seen.at(-1)?.check).toMatchObject({ verdict: 'pass', breachedSinceMs: null });
  });

  it('is not held against the version by far in most of many runs, and without instances it would be', () => {
    const runs = 12;
    let aborted = 0;
    let blamed = 0;
    for (let seed = 100; seed < 100 + runs; seed += 1) {
      if (abortOf(looks(blip, 400, PODS, seed))) aborted += 1;
      const random = new Random(seed);
      const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
      for (let second = 1; second <= 400; second += 1) {
        const canary = drawn(random, 20, second >= 100 && second < 110 ? 0.25375 : 0.005);
        const segments = { 'route=orders': { canary, baseline: drawn(random, 180, 0.005) } };
        judge.add(secondOfParts(second, { segments }));
        if (lookAt(judge, second).verdict !== 'fail') continue;
        blamed += 1;
        break;
      }
    }
    expect(blamed).toBe(runs);
    expect(aborted).toBeLessThanOrEqual(1);
  });

  it('leaves nothing behind once it has been well for a while, also where all instances fail now and then', () => {
    const noisy: Rates = (pod, second) => (pod === SICK && second >= 100 && second < 110 ? 1 : 0.02);
    for (let seed = 1; seed <= 5; seed += 1) {
      const seen = looks(noisy, 260, PODS, seed);
      const [during, after] = [seen[112], seen.at(-1)];
      expect([during?.check.proof?.instance, after?.second]).toEqual([SICK, 260]);
      expect(after?.check.proof?.worse).toBeLessThan(20);
    }
  });

  it('that goes on failing is the version’s fault after two minutes, and named', () => {
    const seen = looks((pod, second) => (pod === SICK && second >= 100 ? 0.5 : 0.005), 400);
    const abort = abortOf(seen);
    expect(abort?.second).toBeGreaterThan(215);
    expect(abort?.second).toBeLessThan(250);
    expect(abort?.check.proof?.instance).toBe(SICK);
  });

  it('does not hide a regression that another instance shows as well', () => {
    const two: Rates = (pod, second) => (second >= 100 && (pod === SICK || pod === PODS[1]) ? 1 : 0.005);
    const abort = abortOf(looks(two, 200));
    expect(abort?.second).toBeLessThan(115);
  });

  it('does not delay the abort of a version that fails everywhere', () => {
    const everywhere: Rates = (pod, second) => (pod !== '' && second >= 100 ? 0.5 : 0.005);
    for (let seed = 1; seed <= 5; seed += 1) {
      expect(abortOf(looks(everywhere, 200, PODS, seed))?.second).toBeLessThan(110);
    }
  });

  it('is remembered over a restart', () => {
    const random = new Random(5);
    const straight = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (let second = 1; second <= 104; second += 1) {
      add(straight, second, random, blip);
      lookAt(straight, second);
    }
    const restarted = createSequentialJudge(thePlan, JSON.parse(JSON.stringify(straight.memory)));
    const recalled = new Random(5);
    const source = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const recall = { ...source, add: restarted.recall.bind(restarted) } as Judge;
    for (let second = 1; second <= 104; second += 1) add(recall, second, recalled, blip);
    for (let second = 105; second <= 160; second += 1) {
      add(straight, second, random, blip);
      add(restarted, second, recalled, blip);
      expect(lookAt(restarted, second)).toEqual(lookAt(straight, second));
    }
  });
});

describe('a version of one instance', () => {
  it('answers for it at once', () => {
    const abort = abortOf(looks(blip, 200, [SICK]));
    expect(abort?.second).toBeLessThan(110);
    expect(abort?.check.proof?.instance).toBeUndefined();
  });
});
