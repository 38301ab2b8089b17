/**
 * What a rule counts in one second: requests of both versions and the bad ones among them. Knows how a condition
 * becomes counts; bets on nothing.
 * @module
 */

import type { Condition, Rule } from '../domain/rule.ts';
import type { SecondCounts } from './e-value.ts';
import { binFloorUs, binFrom } from './histogram.ts';
import { type Arms, countBegun, countFrom } from './second.ts';

/**
 * How much slower than the baseline the bets let a canary be: a quarter of the rule's tolerance, on a logarithmic
 * scale. At the limit itself there would be no power, half of it doubles the time to an abort, and with none a canary
 * that is a little slower would be guilty whenever its estimate strays (`npm run bench:judges` shows both).
 */
export function slowdownAllowed(factor: number): number {
  return factor ** 0.25;
}

/** Rules that need a baseline. */
export function compares({ condition }: Rule): boolean {
  return condition.kind === 'rate-ratio' || condition.kind === 'quantile-ratio';
}

/** The rate that a fixed limit allows, 0–1; null for comparisons. */
export function fixedRate({ condition }: Rule): number | null {
  if (condition.kind === 'rate-limit') return condition.limit;
  return condition.kind === 'quantile-limit' ? 1 - condition.quantile : null;
}

/**
 * What the bets against the canary count. `cutBin`: lowest bin above the baseline's quantile, known before this second.
 * Null: nothing to count against yet, or nothing that comes in seconds.
 */
export function countsAgainst({ condition }: Rule, arms: Arms, cutBin: number | null): SecondCounts | null {
  switch (condition.kind) {
    case 'rate-ratio':
      return distinctFailures(arms);
    case 'rate-limit':
      return allFailures(arms);
    case 'quantile-ratio':
      return cutBin === null ? null : slowCounts(arms, slowBin(condition, cutBin), cutBin);
    case 'quantile-limit': {
      const bin = binFrom(condition.limitMs * 1000);
      return slowCounts(arms, bin, bin);
    }
    case 'differs':
    case 'promql':
      return null;
  }
}

/** The same for the bets on a canary that keeps the limit: counted from the limit itself. */
export function countsAtLimit(rule: Rule, arms: Arms, cutBin: number | null): SecondCounts | null {
  const { condition } = rule;
  if (condition.kind !== 'quantile-ratio') return countsAgainst(rule, arms, cutBin);
  if (cutBin === null) return null;
  return slowCounts(arms, binFrom(binFloorUs(cutBin) * condition.factor), cutBin);
}

/** Both sides counted alike, to compare one part of the canary (as `canary`) with the rest of it (as `baseline`). */
export function countsApart({ condition }: Rule, arms: Arms, cutBin: number | null): SecondCounts | null {
  switch (condition.kind) {
    case 'rate-ratio':
    case 'rate-limit':
      return distinctFailures(arms);
    case 'quantile-ratio': {
      if (cutBin === null) return null;
      const bin = slowBin(condition, cutBin);
      return slowCounts(arms, bin, bin);
    }
    case 'quantile-limit': {
      const bin = binFrom(condition.limitMs * 1000);
      return slowCounts(arms, bin, bin);
    }
    case 'differs':
    case 'promql':
      return null;
  }
}

/** All bins from which these rules count latencies, ascending, with 0: of others nothing but sums is asked. */
export function binsOf(
  rules: readonly Rule[],
  contexts: readonly { readonly cutBin: number | null }[],
): readonly number[] {
  const bins = rules.flatMap(({ condition }, at): number[] => {
    const cutBin = contexts[at]?.cutBin ?? null;
    if (condition.kind === 'quantile-limit') return [binFrom(condition.limitMs * 1000)];
    return condition.kind === 'quantile-ratio' && cutBin !== null ? [cutBin, slowBin(condition, cutBin)] : [];
  });
  return [...new Set([0, ...bins])].sort((a, b) => a - b);
}

/** Rounded up, which errs on the canary's side. */
function slowBin({ factor }: Extract<Condition, { kind: 'quantile-ratio' }>, cutBin: number): number {
  return binFrom(binFloorUs(cutBin) * slowdownAllowed(factor));
}

/** For comparisons: repeats of one key count once, on both sides. */
function distinctFailures({ canary, baseline }: Arms): SecondCounts {
  return {
    canary: canary.total,
    baseline: baseline.total,
    canaryBad: canary.distinctBad,
    baselineBad: baseline.distinctBad,
  };
}

/** For fixed rates: distinct failures among all requests would be too few of them. */
function allFailures(arms: Arms): SecondCounts {
  return { ...distinctFailures(arms), canaryBad: arms.canary.bad, baselineBad: arms.baseline.bad };
}

/** Slow ones are counted when their age passes the cut, so there may be more of them than requests that began. */
function slowCounts({ canary, baseline }: Arms, canaryFrom: number, baselineFrom: number): SecondCounts {
  const canaryBad = countFrom(canary.latencyUs, canaryFrom);
  const baselineBad = countFrom(baseline.latencyUs, baselineFrom);
  return {
    canary: Math.max(canaryBad, countBegun(canary.latencyUs)),
    baseline: Math.max(baselineBad, countBegun(baseline.latencyUs)),
    canaryBad,
    baselineBad,
  };
}
