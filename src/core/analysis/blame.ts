/**
 * Who is to blame when the evidence of all broken limits together reaches the budget. Knows what looks have found; no
 * bets and no windows.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import type { Budget } from './budget.ts';
import { lasts, type RuleLook } from './rule-look.ts';
import type { SegmentLook } from './segment-watch.ts';

/** Evidence about one broken limit: of a rule, or of a rule within a segment. */
export interface Account {
  readonly rule: number;
  /** Null: all of the traffic. */
  readonly segment: string | null;
  /** An e-value: evidence that the canary is worse. */
  readonly worse: number;
  /** Of the budget. The shares of all accounts there could be sum up to 1 at most. */
  readonly share: number;
}

/**
 * None as long as the accounts together have not won `needed`. Then the one that has won most, and all that would have
 * sufficed if they had been alone.
 */
export function blame(accounts: readonly Account[], needed: number): readonly Account[] {
  const won = accounts.map(({ worse, share }) => worse * share);
  if (won.reduce((sum, each) => sum + each, 0) < needed) return [];
  const most = Math.max(...won);
  return accounts.filter(({ worse }, at) => worse >= needed || won[at] === most);
}

/** Thresholds without a guarantee, and what is to blame of the rest. */
export function guiltyOf(
  rules: readonly Rule[],
  { shares, segmentShare, needed }: Budget,
  looks: readonly RuleLook[],
  segments: readonly SegmentLook[],
  at: {
    readonly nowMs: number /** One instance may be what is wrong. */;
    readonly troubled: (rule: number) => boolean;
  },
): readonly Account[] {
  const lasting = looks.flatMap((look, rule): readonly Account[] => {
    const { proof, excused } = look;
    if (excused || proof?.environment === true || !lasts(rules[rule] as Rule, look, at.nowMs)) return [];
    return [{ rule, segment: null, worse: proof?.worse ?? 0, share: shares[rule] as number }];
  });
  const inSegments = segments.flatMap((look): readonly Account[] => {
    const { rule, segment, worse } = look;
    if (at.troubled(rule) || !lasts(rules[rule] as Rule, look, at.nowMs)) return [];
    return [{ rule, segment, worse, share: segmentShare }];
  });
  const isThreshold = ({ rule }: Account): boolean => looks[rule]?.proof === null;
  const promised = lasting.filter((account) => !isThreshold(account));
  return [...lasting.filter(isThreshold), ...blame([...promised, ...inSegments], needed)];
}
