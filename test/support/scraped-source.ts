/**
 * A metric source that holds what two simulated pods, one per version, were scraped for; it gives out what is stored by
 * its `nowMs`. Knows no operator.
 * @module
 */

import type { MetricSource, SamplesResult } from '../../src/ports/metric-source.ts';
import { Pod } from '../core/analysis/scraped.ts';

/** Requests and failures of one version in a second. */
export type SecondOf = (second: number) => readonly [requests: number, failed: number];

export interface ScrapedPods {
  /** Epoch milliseconds of second 0. */
  readonly startMs: number;
  readonly seconds: number;
  readonly scrapeMs: number;
  /** Baseline. */
  readonly v1: SecondOf;
  /** Canary. */
  readonly v2: SecondOf;
}

export class ScrapedSource implements MetricSource {
  /** Nothing later is stored yet, epoch milliseconds. */
  nowMs: number;
  /** Answered in place of samples. */
  fails: SamplesResult | null = null;
  readonly asked: string[] = [];
  readonly #pods: { readonly v1: Pod; readonly v2: Pod };

  constructor({ startMs, seconds, scrapeMs, v1, v2 }: ScrapedPods) {
    this.nowMs = startMs;
    this.#pods = { v1: new Pod('a', startMs + 1_000, scrapeMs), v2: new Pod('b', startMs + 3_000, scrapeMs) };
    for (let second = 0; second < seconds; second += 1) {
      const atMs = startMs + second * 1000 + 500;
      this.#pods.v1.count(atMs, ...v1(second));
      this.#pods.v2.count(atMs, ...v2(second));
    }
  }

  query(): never {
    throw new Error('nobody asks for values');
  }

  async samples(selector: string, fromMs: number, toMs: number): Promise<SamplesResult> {
    this.asked.push(selector);
    if (this.fails !== null) return this.fails;
    const pod = this.#pods[selector.includes('"v2"') ? 'v2' : 'v1'];
    const all = selector.includes('5..') || selector.includes('reset') ? pod.bad() : pod.total();
    const kept = all.atMs.flatMap((at, index) =>
      at >= fromMs && at <= Math.min(toMs, this.nowMs) ? [index] : [],
    );
    const of = (list: readonly number[]) => kept.map((index) => list[index] as number);
    return { kind: 'series', series: [{ ...all, atMs: of(all.atMs), values: of(all.values) }] };
  }
}
