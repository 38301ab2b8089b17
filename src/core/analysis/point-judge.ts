/**
 * The point-estimate judge: a rule fails when its estimate over the window is beyond the limit, the sample is
 * large enough, and that has lasted for the rule's `for`. Carries no error guarantee; says so in its name.
 * @module
 */

import type { Check, Evidence, QuantileArm, RateArm, Rule, Verdict } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import { assess } from './assess.ts';
import { type EvidenceWindow, recentBuckets, sumArm } from './evidence-window.ts';
import { Histogram } from './histogram.ts';
import type { Judge, JudgeInput, RuleSample } from './judge.ts';

/** A breach is forgotten when nobody has looked for this long: `for` means "without a break". */
const MEMORY_GAP_MS = 30_000;

export const judgeByPointEstimate: Judge = (input) => {
  const { plan, memory, nowMs } = input;
  const continuous = memory.checkedAtMs !== null && nowMs - memory.checkedAtMs <= MEMORY_GAP_MS;
  const checks = plan.abort.map((rule, index) => {
    const before = continuous ? (memory.breachedSinceMs[index] ?? null) : null;
    return checkRule(input, rule, index, before);
  });
  return {
    checks,
    memory: { breachedSinceMs: checks.map((check) => check.breachedSinceMs), checkedAtMs: nowMs },
  };
};

function checkRule(input: JudgeInput, rule: Rule, index: number, breachedBeforeMs: number | null): Check {
  const sample = input.samples[index] ?? null;
  const evidence = sample ? evidenceOfSample(rule, sample) : evidenceOfWindow(input, rule);
  const { breached, enough, summary } = assess(rule, evidence);
  const breachedSinceMs = breachStart(input, evidence, enough, breached, breachedBeforeMs);
  const verdict = verdictOf(rule, evidence, enough, breached, breachedSinceMs, input.nowMs);
  return { rule: index, text: rule.text, verdict, breachedSinceMs, evidence, summary };
}

/** Without evidence a breach neither goes on nor ends, unless the rule cannot apply at this weight at all. */
function breachStart(
  input: JudgeInput,
  evidence: Evidence,
  enough: boolean,
  breached: boolean,
  beforeMs: number | null,
): number | null {
  if (evidence.kind === 'none') {
    const inapplicable = evidence.cause === 'no-baseline' && input.weightBp === FULL_BP;
    return inapplicable ? null : beforeMs;
  }
  if (!enough) return beforeMs;
  return breached ? (beforeMs ?? input.nowMs) : null;
}

function verdictOf(
  rule: Rule,
  evidence: Evidence,
  enough: boolean,
  breached: boolean,
  sinceMs: number | null,
  nowMs: number,
): Verdict {
  if (evidence.kind === 'none') return 'no-evidence';
  if (!enough) return 'undecided';
  if (!breached || sinceMs === null) return 'pass';
  return nowMs - sinceMs >= rule.forMs ? 'fail' : 'undecided';
}

function evidenceOfSample(rule: Rule, sample: RuleSample): Evidence {
  switch (sample.kind) {
    case 'none':
      return sample;
    case 'scalar':
      return sample;
    case 'rate':
      return { kind: 'rate', windowMs: rule.overMs, canary: sample.canary, baseline: sample.baseline };
    case 'quantile': {
      const quantile = 'quantile' in rule.condition ? rule.condition.quantile : 0;
      return {
        kind: 'quantile',
        windowMs: rule.overMs,
        quantile,
        canary: sample.canary,
        baseline: sample.baseline,
      };
    }
  }
}

function evidenceOfWindow(input: JudgeInput, rule: Rule): Evidence {
  const { plan, window, weightBp } = input;
  if (input.stale) return { kind: 'none', cause: 'stale', detail: 'no gateway has reported for a while' };
  const buckets = recentBuckets(window, rule.overMs);
  const canary = sumArm(buckets, plan.canary);
  const baseline = sumArm(buckets, plan.baseline);
  const { condition } = rule;
  // A latency is known even of a request that its client gave up on; an outcome is not.
  const ofLatency = condition.kind === 'quantile-ratio' || condition.kind === 'quantile-limit';
  if ((ofLatency ? canary.seen : canary.total) === 0)
    return { kind: 'none', cause: 'no-traffic', detail: 'no canary request in the window' };
  const compares = condition.kind === 'rate-ratio' || condition.kind === 'quantile-ratio';
  if (compares && (baseline.total === 0 || weightBp === FULL_BP)) {
    return { kind: 'none', cause: 'no-baseline', detail: 'the baseline had no request to compare with' };
  }
  switch (condition.kind) {
    case 'rate-ratio':
    case 'rate-limit':
      return {
        kind: 'rate',
        windowMs: rule.overMs,
        canary: rateArm(canary),
        baseline: baseline.total > 0 ? rateArm(baseline) : null,
      };
    case 'quantile-ratio':
    case 'quantile-limit': {
      const of = (version: string) => quantileArm(window, rule.overMs, version, condition.quantile);
      return {
        kind: 'quantile',
        windowMs: rule.overMs,
        quantile: condition.quantile,
        canary: of(plan.canary),
        baseline: baseline.total > 0 ? of(plan.baseline) : null,
      };
    }
    case 'promql':
      return { kind: 'none', cause: 'not-asked-yet', detail: 'Prometheus has not been asked yet' };
  }
}

function rateArm({ bad, total }: RateArm): RateArm {
  return { bad, total };
}

function quantileArm(
  window: EvidenceWindow,
  lookbackMs: number,
  version: string,
  quantile: number,
): QuantileArm {
  const histogram = new Histogram();
  for (const bucket of recentBuckets(window, lookbackMs)) {
    histogram.merge(bucket.arms[version]?.latencyUs ?? []);
  }
  return { total: histogram.total, valueMs: (histogram.quantileUs(quantile) ?? 0) / 1000 };
}
