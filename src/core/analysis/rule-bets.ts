/**
 * What one rule bets on in each second, and what its bets have won so far: evidence that the canary is worse, that the
 * baseline breaks the same limit, and that the canary is fine. Knows no windows; decides nothing.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import {
  type BetLimits,
  betRate,
  betRateRelief,
  betRatio,
  betRatioRelief,
  emptyRelief,
  emptyWealth,
  idleUntil,
  type SecondCounts,
  tells,
  total,
  type Wealth,
} from './e-value.ts';
import { countsAgainst, countsAtLimit, fixedRate } from './rule-counts.ts';
import type { Arms } from './second.ts';

/** The canary is fine when it is better than this many times the baseline … */
const FINE_FACTOR = 2;
/** … or fails less often than this, whatever the baseline does: zero errors on both sides prove nothing else. */
const FINE_RATE = 0.001;

/** What a rule has won, stored with the rollout. JSON as it is. */
export interface RuleWealth {
  /** Against "the canary is no worse". */
  readonly worse: Wealth;
  /** Against "the canary fails less often than the rule's floor", or differs less often than its limit; null without. */
  readonly floor: Wealth | null;
  /** Of a fixed limit, against "the baseline keeps it"; null where the rule compares. */
  readonly baseline: Wealth | null;
  /** Against "the canary breaks the limit", in this step only. */
  readonly fine: Wealth;
  /** The same against a fixed rate; null for latencies and fixed limits. */
  readonly fineRate: Wealth | null;
}

/** The part that speaks against the canary. A rule with a floor needs both. */
export type WorseWealth = Pick<RuleWealth, 'worse' | 'floor'>;

/** Rules with evidence under the error budget; the others are thresholds without a guarantee. */
export function bets(rule: Rule): boolean {
  return rule.source === 'telemetry' ? rule.condition.kind !== 'promql' : betsOnCounters(rule);
}

/** Rules that bet on what counters in Prometheus have counted between scrapes, not on the seconds of telemetry. */
export function betsOnCounters({ source, condition }: Rule): boolean {
  return source === 'prometheus' && (condition.kind === 'rate-ratio' || condition.kind === 'rate-limit');
}

export function emptyRuleWealth(rule: Rule): RuleWealth {
  return {
    ...emptyWorse(rule),
    baseline: fixedRate(rule) === null ? null : emptyWealth(),
    ...emptyFine(rule),
  };
}

export function emptyWorse(rule: Rule): WorseWealth {
  const needsBoth = rule.floor !== null || rule.condition.kind === 'differs';
  return { worse: emptyWealth(), floor: needsBoth ? emptyWealth() : null };
}

/** Each step has to prove itself anew. */
export function restartFine(rule: Rule, wealth: RuleWealth): RuleWealth {
  return { ...wealth, ...emptyFine(rule) };
}

function emptyFine(rule: Rule): Pick<RuleWealth, 'fine' | 'fineRate'> {
  return { fine: emptyRelief(), fineRate: rule.condition.kind === 'rate-ratio' ? emptyRelief() : null };
}

/** Evidence that the canary is worse, as a multiple of the stake. */
export function worseBy({ worse, floor }: WorseWealth): number {
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

export function betSecond(rule: Rule, wealth: RuleWealth, arms: Arms, context: BetContext): RuleWealth {
  const limit = fixedRate(rule);
  const { baseline } = wealth;
  return {
    ...wealth,
    ...betAgainst(rule, wealth, arms, context),
    baseline:
      limit === null || baseline === null ? baseline : betOnBaseline(rule, baseline, limit, arms, context),
    ...betOnFine(rule, wealth, arms, context),
  };
}

/** The part of the bets that speaks against the canary. */
export function betAgainst(
  rule: Rule,
  { worse, floor }: WorseWealth,
  arms: Arms,
  { cutBin, worse: limits }: BetContext,
): WorseWealth {
  // Without anything to count against, the time passes all the same.
  const counts = countsAgainst(rule, arms, cutBin) ?? NOTHING;
  const rate = fixedRate(rule);
  return {
    worse:
      rate === null
        ? betRatio(worse, 1, counts, unclustered(limits))
        : betRate(worse, rate, ofCanary(counts), limitsOf(rule, limits)),
    floor: floor === null || rule.floor === null ? floor : betRate(floor, rule.floor, arms.canary, limits),
  };
}

/**
 * The same, but the same wealth where the second says nothing: such seconds are made up for when one does, as if they
 * had been bet on. For parts of the traffic, most of which are quiet most of the time. `elapsed`: seconds before this.
 */
export function betWhenTelling(
  rule: Rule,
  before: WorseWealth,
  arms: Arms,
  elapsed: number,
  context: BetContext,
): WorseWealth {
  const telling =
    rule.floor !== null || fixedRate(rule) !== null || tells(countsAgainst(rule, arms, context.cutBin));
  if (!telling) return before;
  const { worse, floor } = before;
  const caughtUp = { worse: idleUntil(worse, elapsed), floor: floor && idleUntil(floor, elapsed) };
  return betAgainst(rule, caughtUp, arms, context);
}

const NOTHING: SecondCounts = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };

function betOnBaseline(
  rule: Rule,
  wealth: Wealth,
  rate: number,
  arms: Arms,
  { cutBin, worse: limits }: BetContext,
): Wealth {
  const { baseline, baselineBad } = countsAgainst(rule, arms, cutBin) ?? NOTHING;
  return betRate(wealth, rate, { total: baseline, bad: baselineBad }, limitsOf(rule, limits));
}

function betOnFine(
  rule: Rule,
  { fine, fineRate }: RuleWealth,
  arms: Arms,
  { cutBin, fine: limits }: BetContext,
): Pick<RuleWealth, 'fine' | 'fineRate'> {
  const counts = countsAtLimit(rule, arms, cutBin);
  if (counts === null) return { fine, fineRate };
  const rate = fixedRate(rule);
  if (rate !== null) {
    return { fine: betRateRelief(fine, rate, ofCanary(counts), limitsOf(rule, limits)), fineRate };
  }
  const factor = rule.condition.kind === 'rate-ratio' ? FINE_FACTOR : 1;
  return {
    fine: betRatioRelief(fine, factor, counts, unclustered(limits)),
    fineRate: fineRate && betRateRelief(fineRate, rule.floor ?? FINE_RATE, arms.canary, limits),
  };
}

function ofCanary({ canary, canaryBad }: SecondCounts): { readonly total: number; readonly bad: number } {
  return { total: canary, bad: canaryBad };
}

/** Failures come in clusters; slow requests of one user are not of one cause. */
function limitsOf({ condition }: Rule, limits: BetLimits): BetLimits {
  return condition.kind === 'rate-limit' ? limits : unclustered(limits);
}

function unclustered(limits: BetLimits): BetLimits {
  return { ...limits, clustering: 1 };
}
