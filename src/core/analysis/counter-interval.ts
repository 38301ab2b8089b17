/**
 * One interval between scrapes of a rule's counters, as the judge sees it. Knows neither scrapes nor bets.
 * @module
 */

import type { RateArm } from '../domain/rule.ts';

/** What both versions did between two moments. Intervals of a rule share no event. */
export interface CounterInterval {
  /** Index into the plan's rules. */
  readonly rule: number;
  /** Exclusive, epoch milliseconds. */
  readonly fromMs: number;
  /** Inclusive. */
  readonly toMs: number;
  readonly canary: RateArm;
  /** Nothing where the counters are not told apart by version. */
  readonly baseline: RateArm;
  /**
   * The versions are scraped from different targets: an incident of both may begin for one of them an interval before
   * it does for the other.
   */
  readonly apart: boolean;
  /**
   * `all`: against the canary and for it. `worse`: against it only, as the interval is of an earlier step. `nothing`:
   * the weights moved within it, so that its counts are of no one split; they show in the estimate only.
   */
  readonly bet: 'all' | 'worse' | 'nothing';
}
