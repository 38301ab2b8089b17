/**
 * One look at one rule: its numbers, whether its limit is broken, and since when. Knows windows and samples; what the
 * bets have won only as far as it decides how closely to look.
 * @module
 */

import type { Evidence, Proof, Rule } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import { assess } from './assess.ts';
import { breaksClearly, evidenceOf, none } from './breach.ts';
import { isOutOfPlace, nothingSeen } from './mirrored.ts';
import { bets, betsOnCounters } from './rule-bets.ts';
import { compares } from './rule-counts.ts';
import type { SlidingWindow } from './sliding-window.ts';

export interface Look {
  readonly evidence: Evidence;
  readonly breached: boolean;
  readonly enough: boolean;
  readonly say: () => string;
  readonly breachedSinceMs: number | null;
}

/** What a look at a rule has found, with the evidence that counts. */
export interface RuleLook extends Look {
  readonly proof: Proof | null;
  /** The limit is broken only with the instance that the proof names. */
  readonly excused: boolean;
}

/** Under which a look is taken. */
export interface Circumstances {
  /** Share that the canary has now. */
  readonly weightBp: number;
  /** Gateways have gone silent. */
  readonly stale: boolean;
  readonly nowMs: number;
}

/** What a look goes on from. */
export interface Before {
  /** Since when the limit has been broken; null: it was not, or nobody has looked for too long. */
  readonly breachedSinceMs: number | null;
  /** The bets have as good as won: a look at a part of the window matters. */
  readonly alarming: boolean;
}

export function lookAt(
  rule: Rule,
  evidence: Evidence,
  window: SlidingWindow,
  input: Circumstances,
  before: Before,
): Look {
  const { breached, enough, say } = assess(rule, evidence);
  const broken = breached || (evidence.kind !== 'none' && before.alarming && breaksClearly(rule, window));
  return {
    evidence,
    breached: broken,
    enough: enough || (broken && !breached),
    say,
    breachedSinceMs: breachStart(input, evidence, enough, broken, before.breachedSinceMs),
  };
}

/** The numbers of the window, or why there are none. */
export function evidenceIn(rule: Rule, window: SlidingWindow, { weightBp, stale }: Circumstances): Evidence {
  if (!bets(rule)) return none('not-asked-yet', 'Prometheus has not been asked yet');
  if (stale && !betsOnCounters(rule)) return none('stale', 'no gateway has reported for a while');
  const evidence = evidenceOf(rule, window);
  if (evidence === null) return nothingSeen(rule);
  const needsBoth = compares(rule) || rule.condition.kind === 'differs';
  if (needsBoth && (weightBp === FULL_BP || !('baseline' in evidence) || evidence.baseline === null)) {
    return none('no-baseline', 'the baseline had no request to compare with');
  }
  return evidence;
}

/** Whether the limit has been broken for as long as the rule wants it. */
export function lasts(
  { forMs }: Rule,
  { evidence, enough, breached, breachedSinceMs }: Look,
  nowMs: number,
): boolean {
  if (evidence.kind === 'none' || !enough || !breached || breachedSinceMs === null) return false;
  return nowMs - breachedSinceMs >= forMs;
}

/** Without evidence a breach neither goes on nor ends, unless the rule cannot apply at this weight at all. */
function breachStart(
  { weightBp, nowMs }: Circumstances,
  evidence: Evidence,
  enough: boolean,
  breached: boolean,
  beforeMs: number | null,
): number | null {
  if (evidence.kind === 'none') {
    const inapplicable = isOutOfPlace(evidence) || (evidence.cause === 'no-baseline' && weightBp === FULL_BP);
    return inapplicable ? null : beforeMs;
  }
  if (breached) return enough || beforeMs !== null ? (beforeMs ?? nowMs) : null;
  return enough ? null : beforeMs;
}
