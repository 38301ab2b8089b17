/**
 * Reads a stretch of the past from Prometheus, a few minutes at a time, and hands it to the judge interval by interval.
 * Knows no terminal and decides nothing.
 * @module
 */

import { BucketCutter } from '../core/analysis/bucket-seconds.ts';
import { type AskSamples, readCounters, type Span } from '../core/analysis/counter-reader.ts';
import { type CountedInterval, CounterCutter, scrapeIntervalOf } from '../core/analysis/counter-reading.ts';
import { type CounterSeries, LOOKBACK_MS, scrapeIntervalMs } from '../core/analysis/counter-samples.ts';
import { attemptsOf, counterSelectors } from '../core/analysis/counter-selectors.ts';
import { Hindsight, meansOf, planOfThePast, type RuleHindsight } from '../core/analysis/hindsight.ts';
import { compares } from '../core/analysis/rule-counts.ts';
import { shareJumped } from '../core/analysis/share-jump.ts';
import { formatDuration } from '../core/domain/duration.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { Rule } from '../core/domain/rule.ts';
import type { MetricSource } from '../ports/metric-source.ts';
import { gapOf, none } from '../ports/sample-gap.ts';

/** Read at once. */
const CHUNK_MS = 600_000;
/** As many as Prometheus itself gives of a range. */
const MAX_INTERVALS = 11_000;
/** Above what a scrape interval may be. */
export const MAX_STEP_MS = LOOKBACK_MS;

export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** Length of an interval, milliseconds; null: from scrape to scrape. */
  readonly stepMs: number | null;
}

export interface History {
  readonly rules: readonly RuleHindsight[];
  readonly stepMs: number;
  readonly intervals: number;
  /** Intervals in which the canary's share jumped: comparisons do not bet on them. */
  readonly moved: number;
}

/** What one chunk holds for one rule; null: nothing to cut. */
type Cutter =
  | { readonly means: 'counters'; readonly counters: CounterCutter }
  | { readonly means: 'buckets'; readonly canary: BucketCutter; readonly baseline: BucketCutter }
  | null;

/** Throws USAGE when the stretch is too long for its step, and METRICS_UNAVAILABLE. */
export async function judgeHistory(
  source: MetricSource,
  plan: Plan,
  stretch: Stretch,
  signal: AbortSignal,
): Promise<History> {
  const walk = new HistoryWalk(source, planOfThePast(plan), stretch, signal);
  return walk.run();
}

class HistoryWalk {
  readonly #source: MetricSource;
  readonly #plan: Plan;
  readonly #stretch: Stretch;
  readonly #signal: AbortSignal;
  readonly #hindsight: Hindsight;
  #scrapeMs = 0;
  #intervals = 0;
  readonly #moved = new Set<number>();
  /** By rule: the interval before. */
  readonly #before = new Map<number, CountedInterval>();

  /** Of the interval before. */
  #latencies: Parameters<typeof shareJumped>[0] | null = null;

  constructor(source: MetricSource, plan: Plan, stretch: Stretch, signal: AbortSignal) {
    this.#source = source;
    this.#plan = plan;
    this.#stretch = stretch;
    this.#signal = signal;
    this.#hindsight = new Hindsight(plan);
  }

  async run(): Promise<History> {
    const { fromMs, toMs } = this.#stretch;
    let cursorMs = fromMs;
    while (cursorMs < toMs) {
      const span = { fromMs: cursorMs, toMs: Math.min(toMs, cursorMs + CHUNK_MS) };
      const cutters = await this.#read(span);
      const stepMs = this.#stepMs();
      let endMs = cursorMs + stepMs;
      for (; endMs <= span.toMs; endMs += stepMs) await this.#interval(cutters, endMs - stepMs, endMs);
      // What is left of the last chunk is shorter than an interval.
      if (span.toMs === toMs) break;
      // A stretch that holds no interval is passed over, so that it comes to an end.
      cursorMs = endMs - stepMs > cursorMs ? endMs - stepMs : span.toMs;
    }
    const rules = this.#hindsight.report();
    return { rules, stepMs: this.#stepMs(), intervals: this.#intervals, moved: this.#moved.size };
  }

  /** Checked as soon as the scrape interval is known. */
  #stepMs(): number {
    const { fromMs, toMs, stepMs } = this.#stretch;
    const step = stepMs ?? Math.min(MAX_STEP_MS, Math.max(1000, Math.ceil(this.#scrapeMs / 1000) * 1000));
    if (stepMs !== null && stepMs < this.#scrapeMs * 0.95) {
      throw new SluiceError('USAGE', {
        detail: `a step of ${formatDuration(stepMs)} is shorter than the ${formatDuration(Math.round(this.#scrapeMs))} from scrape to scrape`,
        hint: `Use --step ${formatDuration(Math.ceil(this.#scrapeMs / 1000) * 1000)} or more, or leave it out.`,
      });
    }
    // Before the first samples there is nothing to bound it by.
    if (this.#scrapeMs === 0 && stepMs === null) return CHUNK_MS;
    if ((toMs - fromMs) / step <= MAX_INTERVALS) return step;
    throw new SluiceError('USAGE', {
      detail: `${formatDuration(toMs - fromMs)} in steps of ${formatDuration(step)} are more than ${MAX_INTERVALS} intervals`,
      hint: 'Ask for a shorter time, or for longer steps with --step.',
    });
  }

  async #read(span: Span): Promise<readonly Cutter[]> {
    const shared = new Map<string, Promise<Cutter>>();
    return Promise.all(this.#plan.abort.map((rule, at) => this.#cutterOf(rule, at, span, shared)));
  }

  /** Rules that read the same share one reading. */
  async #cutterOf(rule: Rule, at: number, span: Span, shared: Map<string, Promise<Cutter>>): Promise<Cutter> {
    const once = (key: string, read: () => Promise<Cutter>): Promise<Cutter> => {
      const reading = shared.get(key) ?? read();
      shared.set(key, reading);
      return reading;
    };
    switch (meansOf(rule)) {
      case 'counters': {
        const key = JSON.stringify(counterSelectors(rule, this.#plan));
        return this.#known(at, await once(key, () => this.#readCounters(rule, span)));
      }
      case 'buckets':
        return this.#known(at, await once('buckets', () => this.#readBuckets(span)));
      case 'none':
        this.#hindsight.sample(at, none('source-refused', whyNot(rule)));
        return null;
      case 'value':
        return null;
    }
  }

  #known(at: number, cutter: Cutter): Cutter {
    this.#hindsight.sample(
      at,
      cutter === null ? none('empty', 'no series counts the canary’s requests') : null,
    );
    return cutter;
  }

  async #readCounters(rule: Rule, span: Span): Promise<Cutter> {
    const reading = await readCounters(this.#ask, counterSelectors(rule, this.#plan), span);
    if ('cause' in reading) throw unavailable(reading.detail);
    const scrapeMs = scrapeIntervalOf(reading);
    if (scrapeMs === null || reading.canary.total.flat().length === 0) return null;
    this.#scrapeMs = Math.max(this.#scrapeMs, scrapeMs);
    return { means: 'counters', counters: new CounterCutter(reading, scrapeMs) };
  }

  async #readBuckets(span: Span): Promise<Cutter> {
    const { service, canary, baseline } = this.#plan;
    const read = async (version: string): Promise<readonly CounterSeries[]> => {
      const selector = attemptsOf('bucket', service, version);
      const answer = await this.#ask(selector, span.fromMs - LOOKBACK_MS, span.toMs);
      if ('cause' in answer) throw unavailable(answer.detail);
      return answer;
    };
    const [ofCanary, ofBaseline] = await Promise.all([read(canary), read(baseline)]);
    const scrapeMs = scrapeIntervalMs([...ofCanary, ...ofBaseline]);
    if (scrapeMs === null || ofCanary.length === 0) return null;
    this.#scrapeMs = Math.max(this.#scrapeMs, scrapeMs);
    return {
      means: 'buckets',
      canary: new BucketCutter(ofCanary, 'lower', scrapeMs),
      baseline: new BucketCutter(ofBaseline, 'upper', scrapeMs),
    };
  }

  async #interval(cutters: readonly Cutter[], fromMs: number, toMs: number): Promise<void> {
    this.#intervals += 1;
    this.#hindsight.pass(fromMs, toMs);
    let latencies: Extract<Cutter, { means: 'buckets' }> | null = null;
    for (const [at, cutter] of cutters.entries()) {
      if (cutter?.means === 'buckets') latencies = cutter;
      if (cutter?.means === 'counters') this.#count(at, cutter.counters.cut(fromMs, toMs));
      const rule = this.#plan.abort[at] as Rule;
      if (rule.condition.kind === 'promql') await this.#sampleValue(at, rule.condition.query, toMs);
    }
    if (latencies !== null) {
      const [canary, baseline] = [latencies.canary.cut(fromMs, toMs), latencies.baseline.cut(fromMs, toMs)];
      const moved = this.#latencies !== null && shareJumped(this.#latencies, { canary, baseline });
      this.#latencies = { canary, baseline };
      if (moved) this.#moved.add(fromMs);
      const second = { startMs: fromMs, canary, baseline };
      if (moved) this.#hindsight.recallLatencies(second);
      else this.#hindsight.addLatencies(second, Math.round((toMs - fromMs) / 1000));
    }
    this.#hindsight.look(toMs);
  }

  #count(at: number, counted: ReturnType<CounterCutter['cut']>): void {
    if ('cause' in counted) {
      this.#hindsight.sample(at, none(counted.cause, counted.detail));
      return;
    }
    this.#hindsight.sample(at, null);
    const before = this.#before.get(at);
    this.#before.set(at, counted);
    const moved = before !== undefined && shareJumped(before, counted);
    if (moved) this.#moved.add(counted.fromMs);
    const bet = moved && compares(this.#plan.abort[at] as Rule) ? 'nothing' : 'all';
    const { fromMs, toMs, canary, baseline, apart } = counted;
    this.#hindsight.count({ rule: at, fromMs, toMs, canary, baseline, apart, bet });
  }

  async #sampleValue(at: number, query: string, atMs: number): Promise<void> {
    const answer = await this.#source.query(query, atMs, this.#signal);
    if (answer.kind === 'down' || answer.kind === 'slow') throw unavailable(gapOf(answer, query).detail);
    if (answer.kind !== 'value') this.#hindsight.sample(at, gapOf(answer, query));
    else
      this.#hindsight.sample(at, {
        kind: 'scalar',
        query,
        value: answer.value,
        sampledAtMs: answer.sampledAtMs,
      });
  }

  readonly #ask: AskSamples = async (selector, fromMs, toMs) => {
    const answer = await this.#source.samples(selector, fromMs, toMs, this.#signal);
    return answer.kind === 'series' ? answer.series : gapOf(answer, selector);
  };
}

function whyNot({ condition }: Rule): string {
  return condition.kind === 'differs'
    ? 'no metric keeps how mirrored answers differ'
    : "a threshold on a quantile of Prometheus' own";
}

function unavailable(detail: string): SluiceError {
  return new SluiceError('METRICS_UNAVAILABLE', { detail });
}
