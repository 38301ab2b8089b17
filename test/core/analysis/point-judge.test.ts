import { describe, expect, it } from 'vitest';
import { emptyWindow, foldSummary } from '../../../src/core/analysis/evidence-window.ts';
import { emptyMemory, type JudgeInput, type RuleSample } from '../../../src/core/analysis/judge.ts';
import { judgeByPointEstimate } from '../../../src/core/analysis/point-judge.ts';
import type { Check, Condition, Rule } from '../../../src/core/domain/rule.ts';
import { plan, RULE } from '../rollout/plans.ts';
import { type ArmSecond, summary } from './summaries.ts';

interface Given {
  readonly condition: Condition;
  readonly canary?: ArmSecond;
  readonly baseline?: ArmSecond;
  readonly seconds?: number;
  readonly rule?: Partial<Rule>;
  readonly input?: Partial<JudgeInput>;
}

function judged({ condition, canary, baseline, seconds = 30, rule, input }: Given): Check {
  const arms = { ...(canary ? { v2: canary } : {}), ...(baseline ? { v1: baseline } : {}) };
  const summaries = Array.from({ length: seconds }, (_, i) => summary(i + 1, arms));
  const window = summaries.reduce(foldSummary, emptyWindow(60_000));
  const thePlan = plan({ abort: [{ ...RULE, condition, ...rule }] });
  const output = judgeByPointEstimate({
    plan: thePlan,
    weightBp: 500,
    window,
    stale: false,
    samples: [null],
    memory: emptyMemory(thePlan),
    nowMs: 31_000,
    ...input,
  });
  return output.checks[0] as Check;
}

const ratio: Condition = { kind: 'rate-ratio', factor: 2 };

describe('judgeByPointEstimate', () => {
  it.each<[string, Given, Check['verdict']]>([
    [
      'a canary as good as the baseline passes',
      { condition: ratio, canary: { ok: 99, bad: 1 }, baseline: { ok: 990, bad: 10 } },
      'pass',
    ],
    [
      'a canary at exactly the factor passes',
      { condition: ratio, canary: { ok: 98, bad: 2 }, baseline: { ok: 990, bad: 10 } },
      'pass',
    ],
    [
      'a canary above the factor fails',
      { condition: ratio, canary: { ok: 97, bad: 3 }, baseline: { ok: 990, bad: 10 } },
      'fail',
    ],
    [
      'errors against a baseline without any fail',
      { condition: ratio, canary: { ok: 9, bad: 1 }, baseline: { ok: 100 } },
      'fail',
    ],
    [
      'two errors against none are no trend',
      { condition: ratio, canary: { ok: 19, bad: 2 }, baseline: { ok: 100 }, seconds: 1 },
      'pass',
    ],
    [
      'too few requests are undecided, however bad',
      { condition: ratio, canary: { bad: 1 }, baseline: { ok: 100 }, seconds: 9 },
      'undecided',
    ],
    ['no canary request is no evidence', { condition: ratio, baseline: { ok: 100 } }, 'no-evidence'],
    [
      'no baseline request is no evidence for a comparison',
      { condition: ratio, canary: { ok: 100 } },
      'no-evidence',
    ],
    [
      'an absolute rate needs no baseline',
      { condition: { kind: 'rate-limit', limit: 0.01 }, canary: { ok: 98, bad: 2 } },
      'fail',
    ],
    [
      'an absolute rate within its limit passes',
      { condition: { kind: 'rate-limit', limit: 0.05 }, canary: { ok: 98, bad: 2 } },
      'pass',
    ],
    [
      'a quantile 60 % above the baseline fails +50 %',
      {
        condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
        canary: { ok: 10, latencyMs: 160 },
        baseline: { ok: 100, latencyMs: 100 },
      },
      'fail',
    ],
    [
      'a quantile 40 % above the baseline passes +50 %',
      {
        condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
        canary: { ok: 10, latencyMs: 140 },
        baseline: { ok: 100, latencyMs: 100 },
      },
      'pass',
    ],
    [
      'a quantile above its limit fails',
      {
        condition: { kind: 'quantile-limit', quantile: 0.99, limitMs: 200 },
        canary: { ok: 10, latencyMs: 250 },
      },
      'fail',
    ],
  ])('%s', (_title, given, verdict) => {
    expect(judged(given).verdict).toBe(verdict);
  });

  it('says in one sentence which numbers it compared', () => {
    const check = judged({ condition: ratio, canary: { ok: 97, bad: 3 }, baseline: { ok: 990, bad: 10 } });
    expect(check.summary).toBe("canary 3% 5xx (90/3000) is over 2x the baseline's 1% (300/30000)");
  });

  it('is undecided while a breach has not lasted for the rule, and fails once it has', () => {
    const given: Given = {
      condition: ratio,
      canary: { bad: 10 },
      baseline: { ok: 100 },
      rule: { forMs: 10_000 },
    };
    expect(judged(given)).toMatchObject({ verdict: 'undecided', breachedSinceMs: 31_000 });
    const memory = { breachedSinceMs: [21_000], checkedAtMs: 30_000 };
    expect(judged({ ...given, input: { memory } })).toMatchObject({
      verdict: 'fail',
      breachedSinceMs: 21_000,
    });
  });

  it('starts a breach anew when nobody has looked for half a minute', () => {
    const memory = { breachedSinceMs: [100], checkedAtMs: 500 };
    const check = judged({
      condition: ratio,
      canary: { bad: 10 },
      baseline: { ok: 100 },
      rule: { forMs: 10_000 },
      input: { memory },
    });
    expect(check).toMatchObject({ verdict: 'undecided', breachedSinceMs: 31_000 });
  });

  it('ends a breach as soon as the estimate is back within the limit', () => {
    const memory = { breachedSinceMs: [21_000], checkedAtMs: 30_000 };
    expect(
      judged({ condition: ratio, canary: { ok: 10 }, baseline: { ok: 100 }, input: { memory } })
        .breachedSinceMs,
    ).toBeNull();
  });

  it('has no evidence when gateways are silent, whatever the window still holds', () => {
    const check = judged({
      condition: ratio,
      canary: { bad: 10 },
      baseline: { ok: 100 },
      input: { stale: true },
    });
    expect(check).toMatchObject({ verdict: 'no-evidence', evidence: { cause: 'stale' } });
  });

  it('forgets a breach that the rule can no longer see at 100 %', () => {
    const memory = { breachedSinceMs: [21_000], checkedAtMs: 30_000 };
    const input = { weightBp: 10_000, memory };
    expect(
      judged({ condition: ratio, canary: { bad: 10 }, baseline: { ok: 1 }, input }).breachedSinceMs,
    ).toBeNull();
  });

  it('is undecided against a baseline too small to compare with', () => {
    const check = judged({ condition: ratio, canary: { ok: 97, bad: 3 }, baseline: { ok: 1 }, seconds: 5 });
    expect(check).toMatchObject({ verdict: 'undecided' });
    expect(check.summary).toContain('5 of 10 baseline requests needed');
  });

  it('sees a canary that hangs until its clients give up', () => {
    const condition: Condition = { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 };
    const canary = { abandoned: 2, latencyMs: 5000 };
    expect(judged({ condition, canary, baseline: { ok: 100 } }).verdict).toBe('fail');
  });

  it('has no baseline to compare with at 100 %', () => {
    const check = judged({
      condition: ratio,
      canary: { bad: 10 },
      baseline: { ok: 1 },
      input: { weightBp: 10_000 },
    });
    expect(check.evidence).toMatchObject({ kind: 'none', cause: 'no-baseline' });
  });

  const promql: Condition = { kind: 'promql', query: 'sum(x)', operator: '>', limit: 0.5 };
  it.each<[string, RuleSample, Check['verdict']]>([
    ['over its limit fails', { kind: 'scalar', query: 'sum(x)', value: 0.6, sampledAtMs: 0 }, 'fail'],
    ['at its limit passes', { kind: 'scalar', query: 'sum(x)', value: 0.5, sampledAtMs: 0 }, 'pass'],
    [
      'without an answer has no evidence',
      { kind: 'none', cause: 'source-down', detail: 'refused' },
      'no-evidence',
    ],
    ['with many series has no evidence', { kind: 'none', cause: 'many-series', detail: '2' }, 'no-evidence'],
  ])('a PromQL rule %s', (_title, sample, verdict) => {
    expect(judged({ condition: promql, input: { samples: [sample] } }).verdict).toBe(verdict);
  });

  it('judges a rate that Prometheus counted by the same arithmetic', () => {
    const sample: RuleSample = {
      kind: 'rate',
      canary: { bad: 30, total: 100 },
      baseline: { bad: 10, total: 1000 },
      sampledAtMs: 0,
    };
    expect(judged({ condition: ratio, input: { samples: [sample] } }).verdict).toBe('fail');
  });
});
