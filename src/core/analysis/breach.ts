/**
 * Whether a limit is broken, as any user would compute it: the estimate over the rule's window. For large breaks a
 * shorter look suffices, so that nobody waits for a five-minute average. Knows no evidence; decides nothing.
 * @module
 */

import type { Condition, Evidence, NoEvidenceCause, Rule } from '../domain/rule.ts';
import { binFrom } from './histogram.ts';
import { countFrom } from './second.ts';
import type { SlidingWindow } from './sliding-window.ts';

/** Bad canary requests that a look shorter than the window needs. */
const MIN_BAD = 10;
/** Standard errors that a shorter look must be clear of the limit by. */
const CLEARANCE = 3;
/** The window is halved this often. */
const HALVINGS = 4;

/** The numbers of the window; null when it has none to judge by. */
export function evidenceOf(rule: Rule, window: SlidingWindow): Evidence | null {
  const { canary, baseline } = window;
  const { condition } = rule;
  switch (condition.kind) {
    case 'rate-ratio':
    case 'rate-limit':
    case 'differs': {
      if (canary.sums.total <= 0) return null;
      const { bad, total } = baseline.sums;
      return {
        kind: 'rate',
        ...(condition.kind === 'differs' && { of: 'differences' }),
        windowMs: rule.overMs,
        canary: { bad: canary.sums.bad, total: canary.sums.total },
        baseline: total > 0 ? { bad, total } : null,
        ...rateLimit(condition, total > 0 ? bad / total : null),
      };
    }
    case 'quantile-ratio':
    case 'quantile-limit': {
      const quantileMs = (arm: typeof canary): number =>
        (arm.latencyUs?.quantileUs(condition.quantile) ?? 0) / 1000;
      const canaryTotal = canary.latencyUs?.total ?? 0;
      const baselineTotal = baseline.latencyUs?.total ?? 0;
      if (canaryTotal <= 0) return null;
      return {
        kind: 'quantile',
        windowMs: rule.overMs,
        quantile: condition.quantile,
        canary: { total: canaryTotal, valueMs: quantileMs(canary) },
        baseline: baselineTotal > 0 ? { total: baselineTotal, valueMs: quantileMs(baseline) } : null,
        ...latencyLimit(condition, baselineTotal > 0 ? quantileMs(baseline) : null),
      };
    }
    case 'promql':
      return null;
  }
}

/** Typed: no evidence is not good news. */
export function none(cause: NoEvidenceCause, detail: string): Evidence {
  return { kind: 'none', cause, detail };
}

/** What a rule allows the canary, given the baseline's rate. */
export function rateLimit(condition: Condition, baseline: number | null): { readonly limit?: number } {
  if (condition.kind === 'rate-limit') return { limit: condition.limit };
  if (condition.kind === 'differs') return { limit: Math.max(condition.limit, baseline ?? 0) };
  return condition.kind === 'rate-ratio' && baseline !== null ? { limit: condition.factor * baseline } : {};
}

/** What a rule allows the canary, given the baseline's quantile in milliseconds. */
export function latencyLimit(condition: Condition, baselineMs: number | null): { readonly limitMs?: number } {
  if (condition.kind === 'quantile-limit') return { limitMs: condition.limitMs };
  return condition.kind === 'quantile-ratio' && baselineMs !== null
    ? { limitMs: condition.factor * baselineMs }
    : {};
}

/** Whether a part of the window, down to a sixteenth, breaks the limit clearly, though the whole may not yet. */
export function breaksClearly(rule: Rule, window: SlidingWindow): boolean {
  for (let halving = 1; halving <= HALVINGS; halving += 1) {
    if (breaksWithin(rule, window, rule.overMs / 2 ** halving)) return true;
  }
  return false;
}

function breaksWithin(rule: Rule, window: SlidingWindow, lookbackMs: number): boolean {
  const { condition } = rule;
  switch (condition.kind) {
    case 'rate-ratio': {
      const { canary, baseline } = window.recent(lookbackMs);
      return baseline.total > 0 && isClear(canary, (condition.factor * baseline.bad) / baseline.total);
    }
    case 'rate-limit':
      return isClear(window.recent(lookbackMs).canary, condition.limit);
    case 'differs': {
      const { canary, baseline } = window.recent(lookbackMs);
      return isClear(canary, Math.max(condition.limit, baseline.bad / Math.max(1, baseline.total)));
    }
    case 'quantile-ratio': {
      const baselineUs = window.baseline.latencyUs?.quantileUs(condition.quantile);
      if (baselineUs === undefined) return false;
      return isSlow(window, lookbackMs, condition.factor * baselineUs, condition.quantile);
    }
    case 'quantile-limit':
      return isSlow(window, lookbackMs, condition.limitMs * 1000, condition.quantile);
    case 'promql':
      return false;
  }
}

function isSlow(window: SlidingWindow, lookbackMs: number, limitUs: number, quantile: number): boolean {
  const from = binFrom(limitUs);
  let bad = 0;
  let total = 0;
  for (const latencyUs of window.recentLatencies(lookbackMs)) {
    bad += countFrom(latencyUs, from);
    total += countFrom(latencyUs, 0);
  }
  return isClear({ bad, total }, 1 - quantile);
}

function isClear({ bad, total }: { bad: number; total: number }, limit: number): boolean {
  return bad >= MIN_BAD && (bad / total) * (1 - CLEARANCE / Math.sqrt(bad)) > limit;
}
