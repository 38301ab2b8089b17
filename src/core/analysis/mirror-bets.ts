/**
 * What a rule about mirrored answers bets on in a second: both that the canary differs more than the baseline from itself,
 * and that it does so more often than the limit. Decides nothing.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { betRate, betRateRelief, betRatio } from './e-value.ts';
import { NOTHING_MIRRORED, tossed } from './mirrored.ts';
import { type BetContext, betSecond, type RuleWealth } from './rule-bets.ts';
import type { MirroredSecond, Second } from './second.ts';

/** A second of traffic, or of mirrored answers where the rule is about these. */
export function betWhole(rule: Rule, wealth: RuleWealth, second: Second, context: BetContext): RuleWealth {
  const { condition } = rule;
  return condition.kind === 'differs'
    ? betMirrored(condition.limit, wealth, second.mirrored ?? NOTHING_MIRRORED, context)
    : betSecond(rule, wealth, second, context);
}

function betMirrored(
  limit: number,
  wealth: RuleWealth,
  mirrored: MirroredSecond,
  context: Pick<BetContext, 'worse' | 'fine'>,
): RuleWealth {
  const canary = { total: mirrored.canary.compared, bad: mirrored.canary.differing };
  // The coin makes clusters harmless.
  const worse = { ...context.worse, clustering: 1 };
  const fine = { ...context.fine, clustering: 1 };
  return {
    ...wealth,
    worse: betRatio(wealth.worse, 1, tossed(mirrored), worse),
    floor: wealth.floor && betRate(wealth.floor, limit, canary, worse),
    fine: betRateRelief(wealth.fine, limit, canary, fine),
  };
}
