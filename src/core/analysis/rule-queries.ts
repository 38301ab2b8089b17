/**
 * The PromQL that a threshold asks of Prometheus: quantiles of canary and baseline over the rule's window, or the
 * user's own query. Knows no HTTP and judges nothing; rules on counters don't ask for values at all.
 * @module
 */

import { assertNever } from '../domain/assert-never.ts';
import type { Rule } from '../domain/rule.ts';
import { type Arms, attemptsOf } from './counter-selectors.ts';

/**
 * `*-total` counts attempts in the window; `*-quantile` is in seconds, as Prometheus keeps durations; `scalar` is the
 * one value of a user's query.
 */
export type RuleQueryId =
  | 'canary-total'
  | 'baseline-total'
  | 'canary-quantile'
  | 'baseline-quantile'
  | 'scalar';

export interface RuleQuery {
  readonly id: RuleQueryId;
  readonly promql: string;
}

/**
 * The queries whose results make up the rule's evidence; none of a rule on counters. Baseline queries are there only
 * when the rule compares.
 *
 * What the numbers are, and are not:
 * - `increase` extrapolates to the edges of the window, so counts are estimates and rarely whole.
 * - It needs two samples of a series in the window: a window shorter than two scrapes is empty, and what a series
 *   counted before its first sample is seen only where Prometheus was scraping its gateway a window ago (by the
 *   labels `job` and `instance`).
 * - A version without series is `empty`, never 0.
 * - With series but no requests in the window, counts are 0 and the quantile is NaN.
 * - A quantile beyond the last bucket's bound (10 s) reads as that bound.
 */
export function ruleQueries(rule: Rule, plan: Arms): readonly RuleQuery[] {
  const { condition } = rule;
  const window = promqlDuration(rule.overMs);
  const canary = { service: plan.service, version: plan.canary, window };
  const baseline = { service: plan.service, version: plan.baseline, window };
  switch (condition.kind) {
    case 'rate-limit':
    case 'rate-ratio':
      return [];
    case 'quantile-limit':
      return quantileQueries('canary', canary, condition.quantile);
    case 'quantile-ratio':
      return [
        ...quantileQueries('canary', canary, condition.quantile),
        ...quantileQueries('baseline', baseline, condition.quantile),
      ];
    case 'differs':
      // Only gateways compare answers.
      return [];
    case 'promql':
      return [{ id: 'scalar', promql: condition.query }];
    default:
      return assertNever(condition);
  }
}

interface Scope {
  readonly service: string;
  readonly version: string;
  readonly window: string;
}

function quantileQueries(arm: 'canary' | 'baseline', scope: Scope, quantile: number): readonly RuleQuery[] {
  const buckets = `sum by (le) (${counted(attemptsOf('bucket', scope.service, scope.version), scope.window)})`;
  return [
    { id: `${arm}-total`, promql: totalQuery(scope) },
    { id: `${arm}-quantile`, promql: `histogram_quantile(${quantile}, ${buckets})` },
  ];
}

function totalQuery(scope: Scope): string {
  return `sum(${counted(attemptsOf('count', scope.service, scope.version), scope.window)})`;
}

/**
 * What each series counted in the window. Series that a gateway lacked a window ago, when it was being scraped
 * already, began at 0 since then, so their value is their increase: to `increase`, a series that appears with 20 and
 * stays there has not grown.
 */
function counted(series: string, window: string): string {
  const born = `${series} unless ${series} offset ${window} and on (job, instance) (up offset ${window} == 1)`;
  return `(${born}) or increase(${series}[${window}])`;
}

/** PromQL takes whole numbers of a unit only. */
function promqlDuration(durationMs: number): string {
  const ms = Math.max(1, Math.round(durationMs));
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
