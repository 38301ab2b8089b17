/**
 * The PromQL that a rule asks of Prometheus: counts and quantiles of canary and baseline over the rule's window.
 * Knows how the gateway names its metrics; knows no HTTP and judges nothing.
 * @module
 */

import { assertNever } from '../domain/assert-never.ts';
import { CLIENT_DURATION, LABEL } from '../domain/metric-names.ts';
import type { Plan } from '../domain/plan.ts';
import type { Rule } from '../domain/rule.ts';

/**
 * `*-total` and `*-bad` count attempts in the window; `*-quantile` is in seconds, as Prometheus keeps durations;
 * `scalar` is the one value of a user's query.
 */
export type RuleQueryId =
  | 'canary-total'
  | 'canary-bad'
  | 'baseline-total'
  | 'baseline-bad'
  | 'canary-quantile'
  | 'baseline-quantile'
  | 'scalar';

export interface RuleQuery {
  readonly id: RuleQueryId;
  readonly promql: string;
}

type Arms = Pick<Plan, 'service' | 'baseline' | 'canary'>;

/**
 * The queries whose results make up the rule's evidence. Baseline queries are there only when the rule compares.
 *
 * What the numbers are, and are not:
 * - `increase` extrapolates to the edges of the window, so counts are estimates and rarely whole.
 * - It needs two samples of a series in the window: a window shorter than two scrapes is empty, and what a series
 *   counted before its first sample is seen only where Prometheus was scraping its gateway a window ago (by the
 *   labels `job` and `instance`).
 * - A version without series is `empty`, never 0; a version with requests and no bad ones has 0 bad ones.
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
      return rateQueries('canary', canary);
    case 'rate-ratio':
      return [...rateQueries('canary', canary), ...rateQueries('baseline', baseline)];
    case 'quantile-limit':
      return quantileQueries('canary', canary, condition.quantile);
    case 'quantile-ratio':
      return [
        ...quantileQueries('canary', canary, condition.quantile),
        ...quantileQueries('baseline', baseline, condition.quantile),
      ];
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

function rateQueries(arm: 'canary' | 'baseline', scope: Scope): readonly RuleQuery[] {
  return [
    { id: `${arm}-total`, promql: totalQuery(scope) },
    { id: `${arm}-bad`, promql: badQuery(scope) },
  ];
}

function quantileQueries(arm: 'canary' | 'baseline', scope: Scope, quantile: number): readonly RuleQuery[] {
  const buckets = `sum by (le) (${counted([selector('bucket', scope, NOT_ABORTED)], scope.window)})`;
  return [
    { id: `${arm}-total`, promql: totalQuery(scope) },
    { id: `${arm}-quantile`, promql: `histogram_quantile(${quantile}, ${buckets})` },
  ];
}

// An attempt that its own client gave up says nothing about the version: it is in no count.
const NOT_ABORTED = `${LABEL.error}!="client_abort"`;
const STATUS_5XX = `${LABEL.status}=~"5.."`;
const NO_STATUS = `${LABEL.error}=~"connect|reset|timeout"`;

function totalQuery(scope: Scope): string {
  return `sum(${counted([selector('count', scope, NOT_ABORTED)], scope.window)})`;
}

/**
 * As long as no attempt has failed there is no series to count at all; zero times the total stands in, which an
 * absent version lacks too.
 */
function badQuery(scope: Scope): string {
  const with5xx = selector('count', scope, NOT_ABORTED, STATUS_5XX);
  const without = selector('count', scope, NO_STATUS);
  return `sum(${counted([with5xx, without], scope.window)}) or 0 * ${totalQuery(scope)}`;
}

/**
 * What each series counted in the window. `or` unites by labels, so that a series that several selectors match, as
 * a 503 whose body was then reset, counts once.
 */
function counted(selectors: readonly string[], window: string): string {
  const born = selectors.map((series) => `(${bornIn(series, window)})`);
  const grown = selectors.map((series) => `increase(${series}[${window}])`);
  return [...born, ...grown].join(' or ');
}

/**
 * Series that a gateway lacked a window ago, when it was being scraped already: they began at 0 since then, so
 * their value is their increase. Without this the first errors of a version, often the only ones at a small
 * weight, would go unseen: a series that appears with 20 and stays there has, to `increase`, not grown.
 */
function bornIn(series: string, window: string): string {
  return `${series} unless ${series} offset ${window} and on (job, instance) (up offset ${window} == 1)`;
}

function selector(series: 'count' | 'bucket', scope: Scope, ...matchers: readonly string[]): string {
  const own = [`${LABEL.service}=${quote(scope.service)}`, `${LABEL.version}=${quote(scope.version)}`];
  return `${CLIENT_DURATION}_${series}{${[...own, ...matchers].join(',')}}`;
}

/** A double-quoted PromQL string literal. */
function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** PromQL takes whole numbers of a unit only. */
function promqlDuration(durationMs: number): string {
  const ms = Math.max(1, Math.round(durationMs));
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
