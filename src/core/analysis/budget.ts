/**
 * How the rules of a plan share the one error budget, and what a bet may win at most. Knows no evidence.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Rule } from '../domain/rule.ts';
import { type BetLimits, capAt } from './e-value.ts';
import { bets } from './rule-bets.ts';
import { compares } from './rule-counts.ts';

/** Accepted probability, over a whole run, of calling a canary fine that breaks a limit. */
export const FALSE_ADVANCE = 0.05;
/** Segments that have a share of the budget, in order of appearance. */
export const MAX_SEGMENTS = 64;
/** Evidence of trouble, weighed by its share, that is no proof yet but takes the short way forward away. */
export const SUSPICION = 10;

export interface Budget {
  /** By rule: its part of the budget, for all of the traffic. All parts, also of segments, sum up to 1. */
  readonly shares: readonly number[];
  /** Part of each segment in each rule that compares by telemetry; 0: nobody looks into segments. */
  readonly segmentShare: number;
  /** The weighed evidence that aborts. */
  readonly needed: number;
  /** The evidence that proves a step. */
  readonly fineNeeded: number;
  /** By rule, of the bets against the canary. */
  readonly worse: readonly BetLimits[];
  readonly inSegment: BetLimits;
  readonly fine: BetLimits;
}

export function budgetOf({ abort, falseAbort, steps, segmentShare = 0 }: Plan): Budget {
  const each = 1 / Math.max(1, abort.filter(bets).length);
  const hasSegments = (rule: Rule): boolean => rule.source === 'telemetry' && compares(rule);
  const shares = abort.map((rule) => (hasSegments(rule) ? each * (1 - segmentShare) : each));
  const ofSegment = (each * segmentShare) / MAX_SEGMENTS;
  const fineNeeded = steps.length / FALSE_ADVANCE;
  const limits = (alpha: number): BetLimits => ({ cap: capAt(alpha), clustering: 1 });
  return {
    shares,
    segmentShare: ofSegment,
    needed: 1 / falseAbort,
    fineNeeded,
    worse: shares.map((share) => limits(falseAbort * share)),
    inSegment: limits(ofSegment > 0 ? falseAbort * ofSegment : falseAbort),
    fine: limits(1 / fineNeeded),
  };
}
