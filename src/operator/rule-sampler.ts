/**
 * Asks the metric source for the thresholds that are judged by it, in the background and at its own pace, and
 * keeps the newest answer per rule. Never lets a slow source hold up a tick.
 * @module
 */

import type { RuleSample } from '../core/analysis/judge.ts';
import { shortenRanges } from '../core/analysis/promql-window.ts';
import { bets } from '../core/analysis/rule-bets.ts';
import { ruleQueries } from '../core/analysis/rule-queries.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { Rule } from '../core/domain/rule.ts';
import type { MetricSource } from '../ports/metric-source.ts';
import { gapOf, none } from '../ports/sample-gap.ts';

/** An answer this many intervals old is no evidence any more. */
const STALE_INTERVALS = 3;
/** A run younger than this has no window that a scrape could fill. */
const MIN_WINDOW_MS = 5_000;

export interface RuleSampler {
  /** Starts what is due; returns at once. */
  poke(nowMs: number): void;
  /** By rule of the plan: the newest answer, or null for a rule that is no threshold. */
  samples(nowMs: number): readonly (RuleSample | null)[];
  close(): void;
}

interface Slot {
  readonly rule: Rule;
  sample: RuleSample;
  askedAtMs: number;
  answeredAtMs: number;
  asking: boolean;
}

/** `sinceMs`: start of the run. Queries never look back beyond it, into the errors of an earlier one. */
export function createRuleSampler(
  plan: Plan,
  sinceMs: number,
  source: MetricSource | null,
  intervalMs: number,
): RuleSampler {
  const ended = new AbortController();
  const slots = plan.abort.map((rule): Slot | null => (bets(rule) ? null : newSlot(rule)));

  const ask = async (slot: Slot, nowMs: number): Promise<void> => {
    slot.asking = true;
    slot.askedAtMs = nowMs;
    const startedMs = performance.now();
    const sample = source
      ? await sampleRule(within(slot.rule, nowMs - sinceMs), plan, source, nowMs, ended.signal)
      : none('source-down', 'the operator has no Prometheus configured');
    slot.sample = sample;
    slot.answeredAtMs = nowMs + (performance.now() - startedMs);
    slot.asking = false;
  };

  return {
    poke(nowMs) {
      for (const slot of slots) {
        const young = nowMs - sinceMs < MIN_WINDOW_MS;
        // Either way: after a clock has stepped back, "later" would be long in coming.
        const due = slot !== null && Math.abs(nowMs - slot.askedAtMs) >= intervalMs;
        if (due && !young && !slot.asking) void ask(slot, nowMs);
      }
    },
    samples: (nowMs) =>
      slots.map((slot) => {
        if (!slot) return null;
        const ageMs = nowMs - slot.answeredAtMs;
        if (slot.answeredAtMs === 0 || Math.abs(ageMs) <= STALE_INTERVALS * intervalMs) return slot.sample;
        if (ageMs < 0) return none('source-slow', 'the clock has stepped back behind the newest answer');
        return none('source-slow', `the newest answer is ${formatDuration(ageMs)} old`);
      }),
    close: () => ended.abort(),
  };
}

/** The rule with windows that reach back to where the run began at most, also those inside a user's query. */
function within(rule: Rule, ageMs: number): Rule {
  const { condition } = rule;
  const overMs = Math.min(rule.overMs, Math.floor(ageMs / 1000) * 1000);
  if (condition.kind !== 'promql') return { ...rule, overMs };
  return { ...rule, overMs, condition: { ...condition, query: shortenRanges(condition.query, ageMs) } };
}

function newSlot(rule: Rule): Slot {
  const sample = none('not-asked-yet', 'the metric source has not answered yet');
  return { rule, sample, askedAtMs: 0, answeredAtMs: 0, asking: false };
}

async function sampleRule(
  rule: Rule,
  plan: Plan,
  source: MetricSource,
  nowMs: number,
  signal: AbortSignal,
): Promise<RuleSample> {
  const queries = ruleQueries(rule, plan);
  const results = await Promise.all(queries.map(({ promql }) => source.query(promql, nowMs, signal)));
  const values = new Map<string, number>();
  let oldestMs = nowMs;
  for (const [index, result] of results.entries()) {
    const id = queries[index]?.id as string;
    // A quantile of no requests is NaN: what matters is that there were none.
    if (values.get('canary-total') === 0) break;
    const baselineSilent = id.startsWith('baseline') && (result.kind === 'empty' || result.kind === 'nan');
    if (baselineSilent) continue;
    if (result.kind !== 'value') return gapOf(result, id);
    values.set(id, result.value);
    oldestMs = Math.min(oldestMs, result.sampledAtMs);
  }
  return assemble(rule, values, oldestMs);
}

function assemble(rule: Rule, values: ReadonlyMap<string, number>, sampledAtMs: number): RuleSample {
  const { condition } = rule;
  const value = (id: string): number => values.get(id) ?? 0;
  if (condition.kind === 'promql') {
    return { kind: 'scalar', query: condition.query, value: value('scalar'), sampledAtMs };
  }
  if (value('canary-total') === 0)
    return none('no-traffic', 'Prometheus knows no canary request in the window');
  const hasBaseline = value('baseline-total') > 0;
  if (!hasBaseline && condition.kind === 'quantile-ratio') {
    return none('no-baseline', 'Prometheus knows no baseline request in the window');
  }
  const canary = { total: value('canary-total'), valueMs: value('canary-quantile') * 1000 };
  const baseline = hasBaseline
    ? { total: value('baseline-total'), valueMs: value('baseline-quantile') * 1000 }
    : null;
  return { kind: 'quantile', canary, baseline, sampledAtMs };
}
