/**
 * What the judge would have said of a stretch of the past: interval by interval, rule by rule, with the evidence over
 * time. Pure: it is given what was counted; nothing is changed by it.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Check, NoEvidenceCause, Rule } from '../domain/rule.ts';
import type { CounterInterval } from './counter-interval.ts';
import type { RuleSample } from './judge.ts';
import { bets, betsOnCounters } from './rule-bets.ts';
import { QUIET_ARM, type Second } from './second.ts';
import { createSequentialJudge, emptyMemory } from './sequential-judge.ts';

/** Nobody knows the weights of the past; anything but all of the traffic lets rules compare. */
const SOME_WEIGHT_BP = 5_000;
/** Looks are no further apart than this, so that `for` sees no gap. */
const LOOK_EVERY_MS = 15_000;

/** How a rule is judged from the past: by its counters, by buckets of latencies, by the value of a query, or not. */
export type Means = 'counters' | 'buckets' | 'value' | 'none';

export function meansOf({ condition, source }: Rule): Means {
  if (condition.kind === 'promql') return 'value';
  // Answers are compared as they come, and not kept.
  if (condition.kind === 'differs') return 'none';
  if (condition.kind === 'rate-ratio' || condition.kind === 'rate-limit') return 'counters';
  return source === 'telemetry' ? 'buckets' : 'none';
}

/** The plan with its rates read from counters: the past has no telemetry. */
export function planOfThePast(plan: Plan): Plan {
  const abort = plan.abort.map(
    (rule): Rule => (meansOf(rule) === 'counters' ? { ...rule, source: 'prometheus' } : rule),
  );
  return { ...plan, abort, segmentShare: 0 };
}

export interface Moment {
  readonly atMs: number;
  /** Evidence times the rule's share: `needed` aborts. */
  readonly evidence: number;
}

export interface RuleHindsight {
  readonly rule: number;
  readonly text: string;
  readonly means: Means;
  /** Carries the guarantee: it bets. */
  readonly bets: boolean;
  /** When the limit was first broken, epoch milliseconds; null: never. */
  readonly brokenAtMs: number | null;
  /** When the rule would have aborted first; null: never. */
  readonly abortedAtMs: number | null;
  /** With its numbers, at that moment, or else at the last look that had some. */
  readonly summary: string;
  readonly peak: Moment | null;
  readonly needed: number | null;
  /** Per look of the past. */
  readonly trail: readonly Moment[];
  /** Intervals with canary requests. */
  readonly intervals: number;
  /** Why there was never anything to judge by; null when there was. */
  readonly gap: { readonly cause: NoEvidenceCause; readonly detail: string } | null;
}

interface Kept {
  brokenAtMs: number | null;
  abortedAtMs: number | null;
  summary: string;
  peak: Moment | null;
  needed: number | null;
  trail: Moment[];
  intervals: number;
  gap: RuleHindsight['gap'];
  seen: boolean;
}

export class Hindsight {
  readonly #plan: Plan;
  readonly #judge: ReturnType<typeof createSequentialJudge>;
  readonly #kept: readonly Kept[];
  /** Why rules have no numbers now, by rule. */
  readonly #samples: (RuleSample | null)[];

  /** `plan`: of the past. */
  constructor(plan: Plan) {
    this.#plan = plan;
    this.#judge = createSequentialJudge(plan, emptyMemory(plan));
    this.#samples = plan.abort.map(() => null);
    this.#kept = plan.abort.map(() => ({
      brokenAtMs: null,
      abortedAtMs: null,
      summary: '',
      peak: null,
      needed: null,
      trail: [],
      intervals: 0,
      gap: null,
      seen: false,
    }));
  }

  count(interval: CounterInterval): void {
    this.#judge.count(interval);
    const kept = this.#kept[interval.rule];
    if (kept && interval.canary.total > 0) kept.intervals += 1;
  }

  /** Latencies of an interval, as of its first second; the others pass without any. */
  addLatencies(second: Second, seconds: number): void {
    this.#judge.add(second);
    for (let at = 1; at < seconds; at += 1) {
      this.#judge.add({ startMs: second.startMs + at * 1000, canary: QUIET_ARM, baseline: QUIET_ARM });
    }
    if (second.canary.total === 0) return;
    for (const [at, rule] of this.#plan.abort.entries()) {
      const kept = this.#kept[at];
      if (kept && meansOf(rule) === 'buckets') kept.intervals += 1;
    }
  }

  /** Latencies of an interval in which the weights moved: they show in the estimate only. */
  recallLatencies(second: Second): void {
    this.#judge.recall(second);
  }

  /** What a threshold's query answered, or why a rule has nothing to be judged by. */
  sample(rule: number, sample: RuleSample | null): void {
    this.#samples[rule] = sample;
    const kept = this.#kept[rule];
    if (kept && sample !== null && sample.kind !== 'none') kept.intervals += 1;
  }

  /** Looks between two moments, both left out: with what was counted before, as what happens meanwhile is not known yet. */
  pass(fromMs: number, toMs: number): void {
    for (let nowMs = fromMs + LOOK_EVERY_MS; nowMs < toMs; nowMs += LOOK_EVERY_MS) this.look(nowMs);
  }

  look(nowMs: number): void {
    const { checks } = this.#judge.check({
      step: 0,
      weightBp: SOME_WEIGHT_BP,
      revision: 0,
      stale: false,
      samples: this.#samples,
      nowMs,
    });
    for (const check of checks) this.#keep(check, nowMs);
  }

  report(): readonly RuleHindsight[] {
    return this.#plan.abort.map((rule, at): RuleHindsight => {
      const { seen, ...kept } = this.#kept[at] as Kept;
      const isBetting = betsOnCounters(rule) || bets(rule);
      return {
        rule: at,
        text: rule.text,
        means: meansOf(rule),
        bets: isBetting,
        ...kept,
        gap: seen ? null : kept.gap,
      };
    });
  }

  #keep(check: Check, nowMs: number): void {
    const kept = this.#kept[check.rule] as Kept;
    const { evidence, proof, breachedSinceMs, verdict } = check;
    if (proof !== null) {
      const moment = { atMs: nowMs, evidence: proof.share * proof.worse };
      kept.needed = proof.needed;
      kept.trail.push(moment);
      if (kept.peak === null || moment.evidence > kept.peak.evidence) kept.peak = moment;
    }
    if (evidence.kind === 'none') {
      // What is known of the past says more than what the judge makes of it.
      const sample = this.#samples[check.rule];
      const { cause, detail = cause } = sample?.kind === 'none' ? sample : evidence;
      kept.gap = { cause, detail };
      return;
    }
    kept.seen = true;
    if (breachedSinceMs !== null) kept.brokenAtMs ??= breachedSinceMs;
    if (kept.abortedAtMs !== null) return;
    kept.summary = check.summary;
    if (verdict === 'fail') kept.abortedAtMs = nowMs;
  }
}
