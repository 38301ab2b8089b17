/**
 * Abort rules of a rollout file: parses each expression in place, fills in defaults, checks windows and sources.
 * Knows the file and whether a Prometheus is configured; not how rules are judged.
 * @module
 */

import { bets } from '../core/analysis/rule-bets.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { Condition, Rule } from '../core/domain/rule.ts';
import { FULL_BP } from '../core/domain/weight.ts';
import { listedSteps, type RolloutYaml, type StepYaml } from './rollout-schema.ts';
import { parseRuleExpression } from './rule-expression.ts';
import type { YamlSource } from './yaml-source.ts';

type RuleYaml = RolloutYaml['abort'][number];

const DEFAULT_OVER_MS = 300_000;
/** What a threshold on Prometheus wants to see; the judge's own evidence counts requests by itself. */
const DEFAULT_MIN_REQUESTS = 50;
/** A rate in Prometheus needs two scrapes in its window; 15 s between them is the usual setting. */
const MIN_PROMETHEUS_OVER_MS = 30_000;

/** The sound rules in order; the others are reported. `hasPrometheus` is null when that is not known. */
export function readRules(
  source: YamlSource,
  yaml: RolloutYaml,
  hasPrometheus: boolean | null,
): readonly Rule[] {
  const rules: Rule[] = [];
  for (const [index, rule] of yaml.abort.entries()) {
    const parsed = parseRuleExpression(rule.when);
    if (!parsed.ok) {
      const { offset, length, message, hint } = parsed.problem;
      source.findings.error(
        source.partRange(['abort', index, 'when'], offset, length),
        message,
        hint ?? undefined,
      );
      continue;
    }
    const { counters } = parsed;
    const isPromql = parsed.condition.kind === 'promql' || counters !== undefined;
    const judged = {
      text: rule.when,
      condition: parsed.condition,
      overMs: rule.over ?? DEFAULT_OVER_MS,
      forMs: rule.for ?? 0,
      minRequests: 1,
      floor: readFloor(source, index, rule, parsed.condition),
      source: isPromql ? 'prometheus' : (rule.source ?? 'telemetry'),
      ...(counters && { counters }),
    } satisfies Rule;
    const fewest = bets(judged) ? least(parsed.condition) : DEFAULT_MIN_REQUESTS;
    const built: Rule = { ...judged, minRequests: rule.requests ?? fewest };
    checkSource(source, index, rule, built, hasPrometheus);
    checkWindows(source, index, rule, built, listedSteps(yaml));
    rules.push(built);
  }
  checkRepeated(source, rules, yaml.abort);
  checkLastHold(source, rules, yaml);
  return rules;
}

/** The longest time at a step, milliseconds. */
export function maxHold({ hold = 0 }: StepYaml): number {
  return typeof hold === 'number' ? hold : hold.max;
}

/** A quantile of fewer requests is just the slowest of them. */
function least(condition: Condition): number {
  return 'quantile' in condition ? Math.ceil(1 / (1 - condition.quantile) - 1e-9) : 1;
}

/** A fraction, or null; only a comparison of error rates has one. */
function readFloor(
  source: YamlSource,
  index: number,
  { floor }: RuleYaml,
  condition: Condition,
): number | null {
  if (floor === undefined || floor === 0) return null;
  if (condition.kind === 'rate-ratio') return floor / FULL_BP;
  source.findings.error(
    source.keyRange(['abort', index, 'floor']),
    'only a comparison of error rates has a floor',
    'remove it, or write a rule such as 5xx > 2x',
  );
  return null;
}

function checkSource(
  source: YamlSource,
  index: number,
  yaml: RuleYaml,
  rule: Rule,
  hasPrometheus: boolean | null,
): void {
  const promql = rule.condition.kind === 'promql' || rule.counters !== undefined;
  if (promql && yaml.source === 'telemetry') {
    source.findings.error(
      source.valueRange(['abort', index, 'source']),
      'a promql rule always asks Prometheus',
      'remove the source',
    );
  }
  if (rule.condition.kind === 'differs' && yaml.source === 'prometheus') {
    source.findings.error(
      source.valueRange(['abort', index, 'source']),
      'only gateways compare answers: this rule asks their telemetry',
      'remove the source',
    );
    return;
  }
  if (rule.source !== 'prometheus') return;
  const place = source.valueRange(['abort', index, promql ? 'when' : 'source']);
  if (hasPrometheus === false) {
    source.findings.error(
      place,
      'this rule needs Prometheus, and none is configured',
      'add operator.prometheus.url to rollouts/operator.yaml',
    );
  }
  if (rule.condition.kind !== 'promql' && rule.overMs < MIN_PROMETHEUS_OVER_MS) {
    source.findings.warning(
      yaml.over === undefined ? place : source.valueRange(['abort', index, 'over']),
      `a window of ${formatDuration(rule.overMs)} may hold fewer than two scrapes of Prometheus, and then no rate`,
      'use 1m or more, or the telemetry source',
    );
  }
}

/** A rule that cannot breach before the rollout is over protects nobody. */
function checkWindows(
  source: YamlSource,
  index: number,
  yaml: RuleYaml,
  rule: Rule,
  steps: readonly StepYaml[],
): void {
  const { kind } = rule.condition;
  const judged = steps.filter(
    ({ mirror }) => kind === 'promql' || (mirror !== undefined) === (kind === 'differs'),
  );
  const holdMs = judged.reduce((sum, step) => sum + maxHold(step), 0);
  const holds = judged.length === steps.length ? 'all holds' : 'its holds';
  if (holdMs === 0) return;
  if (rule.forMs > holdMs) {
    source.findings.warning(
      source.valueRange(['abort', index, 'for']),
      `${holds} together are ${formatDuration(holdMs)}, so this rule may never act`,
      'shorten it, or lengthen the holds',
    );
  }
  if (yaml.over !== undefined && rule.condition.kind !== 'promql' && rule.overMs > holdMs) {
    source.findings.warning(
      source.valueRange(['abort', index, 'over']),
      `${holds} together are ${formatDuration(holdMs)}, so this window is never full`,
    );
  }
  if (rule.condition.kind === 'promql' && yaml.over !== undefined) {
    source.findings.warning(
      source.keyRange(['abort', index, 'over']),
      'the window of a promql rule is the one inside its query',
      'remove it',
    );
  }
}

/** At 100 % nothing is left to compare with: a hold there only watches by rules that need no baseline. */
function checkLastHold(source: YamlSource, rules: readonly Rule[], yaml: RolloutYaml): void {
  const last = listedSteps(yaml).findIndex((step) => step.weight === FULL_BP && maxHold(step) > 0);
  const compares = ({ condition: { kind } }: Rule): boolean =>
    kind === 'rate-ratio' || kind === 'quantile-ratio' || kind === 'differs';
  if (last < 0 || rules.length === 0 || !rules.every(compares)) return;
  source.findings.warning(
    source.valueRange(['steps', last, 'hold']),
    'at 100% no baseline is left to compare with, so no rule can act during this hold',
    'add a rule with a fixed limit, such as 5xx > 1%, or remove the hold',
  );
}

function checkRepeated(source: YamlSource, rules: readonly Rule[], yaml: RolloutYaml['abort']): void {
  if (rules.length !== yaml.length) return;
  const seen = new Map<string, number>();
  for (const [index, rule] of rules.entries()) {
    const { text: _, ...meaning } = rule;
    const key = JSON.stringify(meaning);
    const earlier = seen.get(key);
    if (earlier === undefined) seen.set(key, index);
    else
      source.findings.warning(
        source.valueRange(['abort', index, 'when']),
        `abort[${earlier}] is the same rule`,
      );
  }
}
