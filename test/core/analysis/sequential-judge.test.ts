import { describe, expect, it } from 'vitest';
import type { JudgeInput, JudgeOutput, RuleSample } from '../../../src/core/analysis/judge.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Check, Condition, Rule } from '../../../src/core/domain/rule.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { type ArmLike, second } from './seconds.ts';

interface Given {
  readonly rules: readonly Partial<Rule>[];
  readonly canary: ArmLike | ((at: number) => ArmLike);
  readonly baseline: ArmLike;
  readonly seconds?: number;
  readonly input?: Partial<JudgeInput>;
  readonly plan?: Partial<Plan>;
}

function planOf({ rules, plan: changes }: Given): Plan {
  return plan({ abort: rules.map((rule) => ({ ...RULE, minRequests: 1, ...rule })), ...changes });
}

function judged(given: Given): JudgeOutput {
  const thePlan = planOf(given);
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  const { canary, seconds = 30 } = given;
  for (let at = 1; at <= seconds; at += 1) {
    judge.add(second(at, typeof canary === 'function' ? canary(at) : canary, given.baseline));
  }
  return judge.check(look({ nowMs: (seconds + 1) * 1000, ...given.input }));
}

function look(changes: Partial<JudgeInput> = {}): JudgeInput {
  return { step: 0, weightBp: 500, revision: 1, stale: false, samples: [null], nowMs: 1000, ...changes };
}

function checked(given: Given): Check {
  return judged(given).checks[0] as Check;
}

const ratio: Condition = { kind: 'rate-ratio', factor: 2 };
const slower: Condition = { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 };
const around = (ms: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => ms * (0.5 + at / count));

describe('the verdict of a rule', () => {
  it.each<[string, Given, Check['verdict']]>([
    [
      'passes a canary as good as the baseline',
      { rules: [{ condition: ratio }], canary: { ok: 99, bad: 1 }, baseline: { ok: 990, bad: 10 } },
      'pass',
    ],
    [
      'fails a canary that is three times as bad over many requests',
      { rules: [{ condition: ratio }], canary: { ok: 97, bad: 3 }, baseline: { ok: 990, bad: 10 } },
      'fail',
    ],
    [
      'does not fail one that is proven worse but within the limit',
      {
        rules: [{ condition: { kind: 'rate-ratio', factor: 5 } }],
        canary: { ok: 97, bad: 3 },
        baseline: { ok: 990, bad: 10 },
      },
      'pass',
    ],
    [
      'is undecided about a broken limit that chance could explain',
      {
        rules: [{ condition: ratio }],
        canary: (at) => (at % 10 === 1 ? { ok: 9, bad: 1 } : { ok: 10 }),
        baseline: { ok: 100, bad: 0 },
        seconds: 21,
      },
      'undecided',
    ],
    [
      'is no evidence without canary requests',
      { rules: [{ condition: ratio }], canary: {}, baseline: { ok: 100 } },
      'no-evidence',
    ],
    [
      'is no evidence of a comparison without a baseline',
      { rules: [{ condition: ratio }], canary: { ok: 100 }, baseline: {} },
      'no-evidence',
    ],
    [
      'fails a fixed rate that is exceeded, with the baseline within it',
      {
        rules: [{ condition: { kind: 'rate-limit', limit: 0.01 } }],
        canary: { ok: 95, bad: 5 },
        baseline: { ok: 1000, bad: 2 },
      },
      'fail',
    ],
    [
      'does not blame the canary for a fixed rate that the baseline exceeds too',
      {
        rules: [{ condition: { kind: 'rate-limit', limit: 0.01 } }],
        canary: { ok: 95, bad: 5 },
        baseline: { ok: 950, bad: 50 },
      },
      'undecided',
    ],
    [
      'fails a quantile 60 % above the baseline under +50 %',
      {
        rules: [{ condition: slower }],
        canary: { ok: 20, latenciesMs: around(160, 20) },
        baseline: { ok: 200, latenciesMs: around(100, 200) },
        seconds: 60,
      },
      'fail',
    ],
    [
      'passes a quantile 20 % above the baseline under +50 %',
      {
        rules: [{ condition: slower }],
        canary: { ok: 20, latenciesMs: around(120, 20) },
        baseline: { ok: 200, latenciesMs: around(100, 200) },
        seconds: 600,
      },
      'pass',
    ],
    [
      'fails a quantile above its fixed limit',
      {
        rules: [{ condition: { kind: 'quantile-limit', quantile: 0.99, limitMs: 200 } }],
        canary: { ok: 10, latenciesMs: around(250, 10) },
        baseline: { ok: 100, latenciesMs: around(100, 100) },
      },
      'fail',
    ],
  ])('%s', (_title, given, verdict) => {
    expect(checked(given).verdict).toBe(verdict);
  });

  it('comes within four seconds for a canary of which everything fails, at two requests a second', () => {
    const given = { rules: [{ condition: ratio }], canary: { bad: 2 }, baseline: { ok: 198 } };
    const needed = [1, 2, 3, 4].find((seconds) => checked({ ...given, seconds }).verdict === 'fail');
    expect(needed).toBeGreaterThanOrEqual(3);
    expect(needed).toBeLessThanOrEqual(4);
  });

  it('says in one sentence which numbers it compared, and carries what the bets have won', () => {
    const check = checked({
      rules: [{ condition: ratio }],
      canary: { ok: 97, bad: 3 },
      baseline: { ok: 990, bad: 10 },
    });
    expect(check.summary).toMatch(
      /^canary 3% 5xx \(90\/3000\) is over 2x the baseline's 1% \(300\/30000\); evidence 10\^\d+ of 100 needed$/,
    );
    expect(check.proof).toMatchObject({ share: 1, needed: 100, environment: false });
    expect(check.proof?.worse).toBeGreaterThan(100);
  });

  it('sees a break that is clear in a part of the window though its whole is within the limit', () => {
    const given = (seconds: number): Given => ({
      rules: [{ condition: ratio, overMs: 300_000 }],
      canary: (at) => (at > 290 ? { ok: 5, bad: 5 } : { ok: 10 }),
      baseline: { ok: 990, bad: 10 },
      seconds,
    });
    expect(checked(given(290)).verdict).toBe('pass');
    const check = checked(given(296));
    expect(check.evidence).toMatchObject({ canary: { bad: 30 } });
    expect(check.verdict).toBe('fail');
  });
});

describe('a rule with `for`', () => {
  const given: Given = {
    rules: [{ condition: ratio, forMs: 10_000 }],
    canary: { bad: 10 },
    baseline: { ok: 100 },
  };

  it('fails only once the limit has been broken for so long', () => {
    const thePlan = planOf(given);
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    const verdicts: string[] = [];
    for (let at = 1; at <= 12; at += 1) {
      judge.add(second(at, { bad: 10 }, { ok: 100 }));
      verdicts.push(judge.check(look({ nowMs: (at + 1) * 1000 })).checks[0]?.verdict ?? '');
    }
    expect(verdicts.slice(0, 10)).toEqual(Array(10).fill('undecided'));
    expect(verdicts.slice(10)).toEqual(['fail', 'fail']);
  });

  it('starts anew when nobody has looked for half a minute', () => {
    const thePlan = planOf(given);
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    judge.add(second(1, { bad: 10 }, { ok: 100 }));
    judge.check(look({ nowMs: 2000 }));
    judge.add(second(60, { bad: 10 }, { ok: 100 }));
    expect(judge.check(look({ nowMs: 61_000 })).checks[0]).toMatchObject({ breachedSinceMs: 61_000 });
  });
});

describe('several rules', () => {
  const sum = (output: JudgeOutput): number =>
    output.checks.reduce((won, { proof }) => won + (proof ? proof.share * proof.worse : 0), 0);

  it('share one budget: each alone needs more evidence, together they need no more than one', () => {
    const limit: Condition = { kind: 'rate-limit', limit: 0.02 };
    const both = judged({
      rules: [{ condition: ratio }, { condition: limit }],
      canary: (at) => (at % 2 === 0 ? { ok: 9, bad: 1 } : { ok: 10 }),
      baseline: { ok: 990, bad: 5 },
      input: { samples: [null, null] },
      seconds: 20,
    });
    const needed = both.checks[0]?.proof?.needed ?? 0;
    expect(both.checks.map((check) => check.proof?.share)).toEqual([0.5, 0.5]);
    expect(both.checks.some(({ verdict }) => verdict === 'fail')).toBe(sum(both) >= needed);
  });

  it('do not let one that is within its limit speak for the others', () => {
    const output = judged({
      rules: [{ condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 10 } }, { condition: ratio }],
      canary: (at) => ({
        ok: 99,
        bad: at % 15 === 1 ? 1 : 0,
        latenciesMs: around(600, 100),
      }),
      baseline: { ok: 9997, bad: 3, latenciesMs: around(100, 1000) },
      input: { samples: [null, null] },
      seconds: 61,
    });
    expect(output.checks[0]?.proof?.worse).toBeGreaterThan(1e6);
    expect(output.checks.map(({ verdict }) => verdict)).toEqual(['pass', 'undecided']);
  });
});

describe('a threshold of a metric source', () => {
  const scalar = (value: number): RuleSample => ({ kind: 'scalar', query: 'x', value, sampledAtMs: 0 });
  const rule: Partial<Rule> = {
    condition: { kind: 'promql', query: 'x', operator: '>', limit: 0.5 },
    source: 'prometheus',
  };

  it.each<[string, RuleSample | null, Check['verdict']]>([
    ['fails beyond its limit', scalar(0.6), 'fail'],
    ['passes within it', scalar(0.4), 'pass'],
    ['is no evidence before it was asked', null, 'no-evidence'],
    [
      'is no evidence while the source is down',
      { kind: 'none', cause: 'source-down', detail: '' },
      'no-evidence',
    ],
  ])('%s, and carries no guarantee', (_title, sample, verdict) => {
    const check = checked({
      rules: [rule],
      canary: { ok: 1 },
      baseline: { ok: 1 },
      input: { samples: [sample] },
    });
    expect(check).toMatchObject({ verdict, proof: null });
  });
});

describe('a proven step', () => {
  const healthy: Given = {
    rules: [{ condition: ratio }],
    canary: { ok: 100 },
    baseline: { ok: 1900, bad: 10 },
    seconds: 120,
  };

  it('is one in which the bets on a healthy canary have won', () => {
    expect(judged(healthy).proven).toBe(true);
    expect(judged({ ...healthy, seconds: 2 }).proven).toBe(false);
  });

  it('is none with a canary that is as bad as the limit', () => {
    expect(judged({ ...healthy, canary: { ok: 99, bad: 1 } }).proven).toBe(false);
  });

  it('proves itself even if neither version ever fails', () => {
    expect(judged({ ...healthy, baseline: { ok: 1900 }, seconds: 120 }).proven).toBe(true);
    expect(judged({ ...healthy, baseline: { ok: 1900 }, seconds: 20 }).proven).toBe(false);
  });

  it('proves nothing about the next one', () => {
    const thePlan = planOf(healthy);
    const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (let at = 1; at <= 120; at += 1) judge.add(second(at, { ok: 100 }, { ok: 1900, bad: 10 }));
    expect(judge.check(look({ nowMs: 121_000 })).proven).toBe(true);
    const worse = judge.check(look({ nowMs: 121_500 })).checks[0]?.proof?.worse;
    const next = judge.check(look({ step: 1, nowMs: 122_000 }));
    expect(next.proven).toBe(false);
    expect(next.checks[0]?.proof?.worse).toBe(worse);
  });

  it('cannot be one that nothing compares at 100 %', () => {
    expect(judged({ ...healthy, input: { weightBp: 10_000 } }).proven).toBe(false);
  });
});

describe('the memory', () => {
  it('survives a restart exactly, as JSON, with the window recalled', () => {
    const given: Given = {
      rules: [{ condition: ratio }, { condition: slower }],
      canary: { ok: 1 },
      baseline: { ok: 1 },
    };
    const thePlan = planOf(given);
    const seconds = Array.from({ length: 400 }, (_, at) =>
      second(
        at,
        { ok: 10, bad: at % 7 === 0 ? 1 : 0, latenciesMs: around(100 + (at % 13), 11) },
        { ok: 100, bad: at % 3, latenciesMs: around(100, 100) },
      ),
    );
    const input = look({ samples: [null, null], nowMs: 401_000 });
    const whole = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (const each of seconds) whole.add(each);
    const before = createSequentialJudge(thePlan, emptyMemory(thePlan));
    for (const each of seconds.slice(0, 250)) before.add(each);
    const after = createSequentialJudge(thePlan, JSON.parse(JSON.stringify(before.memory)));
    for (const each of seconds.slice(0, 250)) after.recall(each);
    for (const each of seconds.slice(250)) after.add(each);
    expect(after.memory).toEqual(whole.memory);
    expect(after.check(input)).toEqual(whole.check(input));
  });
});
