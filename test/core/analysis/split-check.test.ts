import { describe, expect, it } from 'vitest';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import {
  betSplit,
  NO_SPLIT,
  type SplitMemory,
  splitMismatch,
} from '../../../src/core/analysis/split-check.ts';
import { plan } from '../rollout/plans.ts';
import { second } from './seconds.ts';

function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Ten new users a second, of whom the canary gets `share`; the weights say `set`. */
function betAfter(seconds: number, share: number, set: number, random: () => number): SplitMemory {
  let memory = NO_SPLIT;
  for (let at = 0; at < seconds; at += 1) {
    let canary = 0;
    for (let user = 0; user < 10; user += 1) if (random() < share) canary += 1;
    memory = betSplit(memory, { revision: 1, canary, baseline: 10 - canary }, set);
    if (splitMismatch(memory, set) !== null) return memory;
  }
  return memory;
}

describe('the check of the split', () => {
  it('finds a right split wrong in fewer than one of a hundred long runs, looking every second', () => {
    const random = uniform(3);
    let wrong = 0;
    for (let run = 0; run < 300; run += 1) {
      if (splitMismatch(betAfter(600, 0.05, 0.05, random), 0.05) !== null) wrong += 1;
    }
    expect(wrong).toBeLessThanOrEqual(1);
  });

  it.each([
    [0.1, 0.05],
    [0.01, 0.05],
    [0.6, 0.5],
    [0, 0.1],
  ])('finds a canary that gets %d of the users where %d are set', (share, set) => {
    const memory = betAfter(600, share, set, uniform(5));
    expect(splitMismatch(memory, set)).toMatch(
      /^the canary gets [\d.]+% of the users \(\d+ of \d+ sampled\)/,
    );
  });

  it('counts users of the newest split, and forgets no suspicion at a change', () => {
    const before = betSplit(NO_SPLIT, { revision: 1, canary: 40, baseline: 60 }, 0.05);
    const next = betSplit(before, { revision: 2, canary: 1, baseline: 9 }, 0.1);
    expect(next).toMatchObject({ revision: 2, canary: 1, baseline: 9 });
    expect(splitMismatch(next, 0.1)).not.toBeNull();
  });

  it('says nothing at 0 and 100 %', () => {
    expect(betSplit(NO_SPLIT, { revision: 1, canary: 10, baseline: 0 }, 1).parts).toEqual(NO_SPLIT.parts);
  });
});

describe('the judge', () => {
  it('tells a mismatch of the split that is set, and ignores users of another one', () => {
    const thePlan = plan();
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const look = (revision: number) =>
      judge.check({ step: 0, weightBp: 500, revision, stale: false, samples: [null], nowMs: 1_000 });
    expect(look(7).mismatch).toBeNull();
    const users = { canary: 30, baseline: 70 };
    judge.add({ ...second(1, { ok: 10 }, { ok: 100 }), users: { ...users, revision: 6 } });
    expect(look(7).mismatch).toBeNull();
    judge.add({ ...second(2, { ok: 10 }, { ok: 100 }), users: { ...users, revision: 7 } });
    expect(look(7).mismatch).toBe(
      'the canary gets 30% of the users (30 of 100 sampled), not the 5% that are set',
    );
  });
});
