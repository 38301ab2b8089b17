/**
 * Bets on what counters have counted in one interval between scrapes: one interval is one bet, however long it is.
 * Knows nothing of how counters are read.
 * @module
 */

import type { RateArm, Rule } from '../domain/rule.ts';
import type { CounterInterval } from './counter-interval.ts';
import { idleUntil, type Wealth } from './e-value.ts';
import type { RuleMemory } from './judge.ts';
import { type BetContext, betSecond, emptyRuleWealth, type RuleWealth } from './rule-bets.ts';
import { compares } from './rule-counts.ts';
import type { ArmSecond, Second } from './second.ts';

/** Whether the interval was bet on before: it fills windows after a restart. */
export function isCounted({ countedToMs }: RuleMemory, { fromMs }: CounterInterval): boolean {
  return countedToMs !== undefined && fromMs < countedToMs;
}

/** `clustering`: how many failures come of one cause, at least 1. All counts and the cap are that much smaller. */
export function betInterval(
  rule: Rule,
  memory: RuleMemory,
  interval: CounterInterval,
  limits: Omit<BetContext, 'cutBin'>,
): RuleMemory {
  // A run that began under an earlier version of Sluice has nothing staked yet.
  const wealth = memory.wealth ?? emptyRuleWealth(rule);
  const counted = { ...memory, wealth, countedToMs: interval.toMs };
  if (interval.bet === 'nothing') return counted;
  const seconds = Math.max(1, Math.round((interval.toMs - interval.fromMs) / 1000));
  const waited = waitFor(wealth, seconds - 1);
  const { clustering } = limits.worse;
  const arms = { canary: armOf(interval.canary, clustering), baseline: armOf(interval.baseline, clustering) };
  // What one edge of a shared incident can win then stays far from what an abort needs.
  const caution = interval.apart && compares(rule) ? 2 : 1;
  const context: BetContext = {
    worse: { cap: limits.worse.cap / caution / clustering, clustering: 1 },
    fine: { cap: limits.fine.cap / clustering, clustering: 1 },
    cutBin: null,
  };
  const won = betSecond(rule, waited, arms, context);
  const { fine, fineRate } = wealth;
  return { ...counted, wealth: interval.bet === 'all' ? won : { ...won, fine, fineRate } };
}

/** The stakes that wait for late regressions are paid in by time, not by bets. */
function waitFor(wealth: RuleWealth, seconds: number): RuleWealth {
  const wait = (each: Wealth): Wealth => idleUntil(each, each.seconds + seconds);
  const { worse, floor, baseline } = wealth;
  return {
    ...wealth,
    worse: wait(worse),
    floor: floor && wait(floor),
    baseline: baseline && wait(baseline),
  };
}

/** As the windows of estimates take it. */
export function secondOf({ fromMs, canary, baseline }: CounterInterval): Second {
  return { startMs: fromMs, canary: armOf(canary, 1), baseline: armOf(baseline, 1) };
}

/** Counters tell no sticky keys: every failure counts as its own. */
function armOf({ total, bad }: RateArm, clustering: number): ArmSecond {
  const some = bad / clustering;
  const all = Math.max(total, bad) / clustering;
  return { total: all, bad: some, distinctBad: some, seen: all, latencyUs: [] };
}
