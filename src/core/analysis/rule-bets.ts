/**
 * What one rule bets on in each second, and what its bets have won so far: evidence that the canary is worse, that the
 * baseline breaks the same limit, and that the canary is fine. Knows how a rule becomes counts; decides nothing.
 * @module
 */

import type { Condition, Rule } from '../domain/rule.ts';
import {
  type BetLimits,
  betRate,
  betRateRelief,
  betRatio,
  betRatioRelief,
  emptyRelief,
  emptyWealth,
  total,
  type Wealth,
} from './e-value.ts';
import { binFloorUs, binFrom } from './histogram.ts';
import { countBegun, countFrom, type Second } from './second.ts';

/** The canary is fine when it is better than this many times the baseline … */
const FINE_FACTOR = 2;
/** … or fails less often than this, whatever the baseline does: zero errors on both sides prove nothing else. */
const FINE_RATE = 0.001;

/** What a rule has won, stored with the rollout. JSON as it is. */
export interface RuleWealth {
  /** Against "the canary is no worse". */
  readonly worse: Wealth;
  /** Against "the canary fails less often than the rule's floor"; null without a floor. */
  readonly floor: Wealth | null;
  /** Of a fixed limit, against "the baseline keeps it"; null where the rule compares. */
  readonly baseline: Wealth | null;
  /** Against "the canary breaks the limit", in this step only. */
  readonly fine: Wealth;
  /** The same against a fixed rate; null for latencies and fixed limits. */
  readonly fineRate: Wealth | null;
}

/** Rules whose evidence comes in seconds; the others are thresholds without a guarantee. */
export function bets(rule: Rule): boolean {
  return rule.source === 'telemetry' && rule.condition.kind !== 'promql';
}

export function emptyRuleWealth(rule: Rule): RuleWealth {
  const { kind } = rule.condition;
  const compares = kind === 'rate-ratio' || kind === 'quantile-ratio';
  return {
    worse: emptyWealth(),
    floor: rule.floor === null ? null : emptyWealth(),
    baseline: compares ? null : emptyWealth(),
    ...emptyFine(rule),
  };
}

/** Each step has to prove itself anew. */
export function restartFine(rule: Rule, wealth: RuleWealth): RuleWealth {
  return { ...wealth, ...emptyFine(rule) };
}

function emptyFine(rule: Rule): Pick<RuleWealth, 'fine' | 'fineRate'> {
  return { fine: emptyRelief(), fineRate: rule.condition.kind === 'rate-ratio' ? emptyRelief() : null };
}

/** Evidence that the canary is worse, as a multiple of the stake. A rule with a floor needs both. */
export function worseBy({ worse, floor }: RuleWealth): number {
  return floor === null ? total(worse) : Math.min(total(worse), total(floor));
}

/** Evidence that the canary keeps the limit: the mean of e-values is one. */
export function fineBy({ fine, fineRate }: RuleWealth): number {
  return fineRate === null ? total(fine) : (total(fine) + total(fineRate)) / 2;
}

export interface BetContext {
  /** Their clustering is of failures as they come; comparisons count distinct ones and need none. */
  readonly worse: BetLimits;
  readonly fine: BetLimits;
  /** Lowest bin above the baseline's quantile, known before this second; null: not known yet. */
  readonly cutBin: number | null;
}

export function betSecond(rule: Rule, wealth: RuleWealth, second: Second, context: BetContext): RuleWealth {
  const { condition } = rule;
  switch (condition.kind) {
    case 'rate-ratio':
      return betOnRates(rule, wealth, second, context);
    case 'rate-limit':
      return betOnLimit(wealth, condition.limit, allFailures(second), context);
    case 'quantile-ratio':
      return betOnQuantiles(condition, wealth, second, context);
    case 'quantile-limit': {
      const limitBin = binFrom(condition.limitMs * 1000);
      const slow = slowCounts(second, limitBin, limitBin);
      return betOnLimit(wealth, 1 - condition.quantile, slow, unclustered(context));
    }
    case 'promql':
      return wealth;
  }
}

interface Counts {
  readonly canary: number;
  readonly baseline: number;
  readonly canaryBad: number;
  readonly baselineBad: number;
}

/** For comparisons: repeats of one key count once, on both sides. */
function distinctFailures({ canary, baseline }: Second): Counts {
  return {
    canary: canary.total,
    baseline: baseline.total,
    canaryBad: canary.distinctBad,
    baselineBad: baseline.distinctBad,
  };
}

/** For fixed rates: distinct failures among all requests would be too few of them. */
function allFailures(second: Second): Counts {
  const { canary, baseline } = second;
  return { ...distinctFailures(second), canaryBad: canary.bad, baselineBad: baseline.bad };
}

function unclustered(context: BetContext): BetContext {
  return {
    ...context,
    worse: { ...context.worse, clustering: 1 },
    fine: { ...context.fine, clustering: 1 },
  };
}

/** Slow ones are counted when their age passes the cut, so there may be more of them than requests that began. */
function slowCounts({ canary, baseline }: Second, canaryFrom: number, baselineFrom: number): Counts {
  const canaryBad = countFrom(canary.latencyUs, canaryFrom);
  const baselineBad = countFrom(baseline.latencyUs, baselineFrom);
  return {
    canary: Math.max(canaryBad, countBegun(canary.latencyUs)),
    baseline: Math.max(baselineBad, countBegun(baseline.latencyUs)),
    canaryBad,
    baselineBad,
  };
}

function betOnRates(rule: Rule, wealth: RuleWealth, second: Second, context: BetContext): RuleWealth {
  const counts = distinctFailures(second);
  const canary = second.canary;
  const { floor, fineRate } = wealth;
  const distinct = unclustered(context);
  return {
    ...wealth,
    worse: betRatio(wealth.worse, 1, counts, distinct.worse),
    floor: floor === null || rule.floor === null ? floor : betRate(floor, rule.floor, canary, context.worse),
    fine: betRatioRelief(wealth.fine, FINE_FACTOR, counts, distinct.fine),
    fineRate: fineRate && betRateRelief(fineRate, rule.floor ?? FINE_RATE, canary, context.fine),
  };
}

function betOnLimit(wealth: RuleWealth, limit: number, counts: Counts, context: BetContext): RuleWealth {
  const canary = { total: counts.canary, bad: counts.canaryBad };
  const baseline = { total: counts.baseline, bad: counts.baselineBad };
  return {
    ...wealth,
    worse: betRate(wealth.worse, limit, canary, context.worse),
    baseline: wealth.baseline && betRate(wealth.baseline, limit, baseline, context.worse),
    fine: betRateRelief(wealth.fine, limit, canary, context.fine),
  };
}

/**
 * How much slower than the baseline the bets let a canary be: a quarter of the rule's tolerance, on a logarithmic
 * scale. At the limit itself there would be no power, half of it doubles the time to an abort, and with none a canary
 * that is a little slower would be guilty whenever its estimate strays (`npm run bench:judges` shows both).
 */
export function slowdownAllowed(factor: number): number {
  return factor ** 0.25;
}

function betOnQuantiles(
  condition: Extract<Condition, { kind: 'quantile-ratio' }>,
  wealth: RuleWealth,
  second: Second,
  context: BetContext,
): RuleWealth {
  const { cutBin, worse, fine } = unclustered(context);
  if (cutBin === null) {
    // Nothing to count against yet; the time passes all the same.
    const nothing = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };
    return { ...wealth, worse: betRatio(wealth.worse, 1, nothing, worse) };
  }
  // Bins are rounded up, which errs on the canary's side.
  const cutUs = binFloorUs(cutBin);
  const slower = slowCounts(second, binFrom(cutUs * slowdownAllowed(condition.factor)), cutBin);
  const full = slowCounts(second, binFrom(cutUs * condition.factor), cutBin);
  return {
    ...wealth,
    worse: betRatio(wealth.worse, 1, slower, worse),
    fine: betRatioRelief(wealth.fine, 1, full, fine),
  };
}
