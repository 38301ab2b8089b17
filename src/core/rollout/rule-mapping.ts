/**
 * Which rule of another plan is the same as one of a recorded plan, as far as what was read from Prometheus goes.
 * Knows no recording.
 * @module
 */

import { betsOnCounters } from '../analysis/rule-bets.ts';
import { canonical } from '../domain/canonical-json.ts';
import type { Plan } from '../domain/plan.ts';
import type { Rule } from '../domain/rule.ts';

/** By rule of `plan`: its index in the recorded one; null where there is none like it. */
export function recordedRules(recorded: Plan, plan: Plan): readonly (number | null)[] {
  const known = recorded.abort.map(keyOf);
  return plan.abort.map((rule) => {
    const at = known.indexOf(keyOf(rule));
    return at === -1 ? null : at;
  });
}

/** Whether the rule is judged by what a metric source answered, which a recording keeps for its own rules only. */
export function needsSource(rule: Rule): boolean {
  return rule.source === 'prometheus' || rule.condition.kind === 'promql' || betsOnCounters(rule);
}

function keyOf({ condition, source, counters, overMs }: Rule): string {
  return canonical({ condition, source, counters: counters ?? null, overMs });
}
