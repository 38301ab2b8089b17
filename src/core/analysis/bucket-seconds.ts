/**
 * Histograms of Prometheus as the judge's latencies: what each bucket counted in an interval, at the bound that errs on
 * the canary's side. Knows no query and no rule.
 * @module
 */

import { type CounterSeries, countBetween, Scrapes } from './counter-samples.ts';
import { binFrom, binOf, type HistogramWire, MAX_VALUE_US, mergeWires } from './histogram.ts';
import { type ArmSecond, QUIET_ARM } from './second.ts';

/** Label of a bucket: its upper bound in seconds. */
const LE = 'le';

/** The buckets of one version, grouped by bound. */
export class BucketCutter {
  readonly #byBound: readonly { readonly upToS: number; readonly series: readonly CounterSeries[] }[];
  readonly #scrapes: Scrapes;
  readonly #scrapeMs: number;
  readonly #at: 'lower' | 'upper';

  /** `at`: the bound that stands for a bucket's latencies: the canary's lower one, the baseline's upper one. */
  constructor(series: readonly CounterSeries[], at: 'lower' | 'upper', scrapeMs: number) {
    const groups = new Map<number, CounterSeries[]>();
    for (const each of series) {
      const upToS = boundOf(each.labels[LE]);
      if (Number.isNaN(upToS)) continue;
      const group = groups.get(upToS) ?? [];
      group.push(each);
      groups.set(upToS, group);
    }
    this.#byBound = [...groups]
      .map(([upToS, group]) => ({ upToS, series: group }))
      .sort((a, b) => a.upToS - b.upToS);
    this.#scrapes = new Scrapes(series);
    this.#scrapeMs = scrapeMs;
    this.#at = at;
  }

  /** What began after `fromMs`, up to and including `toMs`, by latency. */
  cut(fromMs: number, toMs: number): ArmSecond {
    let below = 0;
    let lowerS = 0;
    let latencyUs: HistogramWire = [];
    for (const { upToS, series } of this.#byBound) {
      const { count } = countBetween(series, this.#scrapes, { fromMs, toMs }, this.#scrapeMs);
      const inBucket = Math.round(count) - below;
      if (inBucket > 0) latencyUs = mergeWires(latencyUs, [this.#bin(lowerS, upToS), inBucket]);
      below = Math.max(below, Math.round(count));
      lowerS = upToS;
    }
    return below === 0 ? QUIET_ARM : { total: below, bad: 0, distinctBad: 0, seen: below, latencyUs };
  }

  #bin(lowerS: number, upperS: number): number {
    if (this.#at === 'lower') return binOf(lowerS * 1e6);
    return Number.isFinite(upperS) ? binFrom(upperS * 1e6) : binOf(MAX_VALUE_US);
  }
}

function boundOf(text: string | undefined): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text ?? Number.NaN);
}
