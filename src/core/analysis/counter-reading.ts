/**
 * One reading of a rule's counters, cut into intervals that share no event: what both versions did in each, or why that
 * cannot be said. Knows no clock and no source; `counter-samples.ts` knows what a counter means.
 * @module
 */

import { formatDuration } from '../domain/duration.ts';
import type { NoEvidenceCause, RateArm } from '../domain/rule.ts';
import {
  type CounterSeries,
  completeToMs,
  countBetween,
  newestMs,
  Scrapes,
  STALE_SCRAPES,
  scrapeIntervalMs,
  targetOf,
  united,
} from './counter-samples.ts';

/** Series of one version, per selector. */
export interface ArmReading {
  readonly total: readonly (readonly CounterSeries[])[];
  readonly bad: readonly (readonly CounterSeries[])[];
}

export interface CounterReading {
  readonly canary: ArmReading;
  /** Null where the counters are not told apart by version. */
  readonly baseline: ArmReading | null;
  /** Targets that were up, as series of 1: when they were scraped, whatever they exposed. */
  readonly up: readonly CounterSeries[];
}

export interface ReadingGap {
  readonly cause: NoEvidenceCause;
  readonly detail: string;
}

/** What was counted after `fromMs`, up to and including `toMs`. */
export interface CountedInterval {
  readonly fromMs: number;
  readonly toMs: number;
  /** The earliest moment that any of it may have happened at, epoch milliseconds. */
  readonly sinceMs: number;
  readonly canary: RateArm;
  readonly baseline: RateArm;
  /** The versions are scraped from different targets, so at different moments. */
  readonly apart: boolean;
}

/** Counters are whole numbers, kept as floating-point ones. */
const WHOLE = 1e-6;

/** All answers of a reading, apart from `up`. */
export function answersOf({ canary, baseline }: CounterReading): readonly (readonly CounterSeries[])[] {
  return [canary, baseline].flatMap((arm) => (arm === null ? [] : [...arm.total, ...arm.bad]));
}

/** The longest usual time between two scrapes, milliseconds; null: nothing has been scraped twice. */
export function scrapeIntervalOf(reading: CounterReading): number | null {
  return scrapeIntervalMs(answersOf(reading).flat());
}

/** Up to when the reading has everything that was ever counted, epoch milliseconds; null without samples. */
export function readingCompleteToMs(reading: CounterReading, scrapeMs: number): number | null {
  return completeToMs(answersOf(reading), scrapeMs);
}

/** Why a version cannot be judged by its newest samples; null when both can. `compares`: the baseline is needed. */
export function readingGap(reading: CounterReading, scrapeMs: number, compares: boolean): ReadingGap | null {
  const newest = newestMs(answersOf(reading).flat()) ?? 0;
  const silent = (arm: ArmReading, who: string): ReadingGap | null => {
    const last = newestMs(arm.total.flat());
    if (last === null) {
      const cause = who === 'canary' ? 'empty' : 'no-baseline';
      return { cause, detail: `no series counts the requests of the ${who}` };
    }
    const silentMs = newest - last;
    if (silentMs <= STALE_SCRAPES * scrapeMs) return null;
    // A baseline that has been scaled down is none, as at the end of a rollout.
    const cause = who === 'canary' ? 'stale' : 'no-baseline';
    const usual = `scraped every ${formatDuration(Math.round(scrapeMs))}`;
    return {
      cause,
      detail: `no new sample of the ${who}'s requests for ${formatDuration(silentMs)} (${usual})`,
    };
  };
  const ofCanary = silent(reading.canary, 'canary');
  if (ofCanary !== null || reading.baseline === null || !compares) return ofCanary;
  return silent(reading.baseline, 'baseline');
}

function differ(one: ReadonlySet<string> = new Set(), other: ReadonlySet<string> = new Set()): boolean {
  return [...one].some((target) => !other.has(target));
}

/** Counts of one interval after another. */
export class CounterCutter {
  readonly #arms: readonly {
    readonly total: readonly CounterSeries[];
    readonly bad: readonly CounterSeries[];
  }[];
  readonly #scrapes: Scrapes;
  readonly #scrapeMs: number;
  readonly #apart: boolean;

  constructor(reading: CounterReading, scrapeMs: number) {
    const arms = [reading.canary, reading.baseline ?? { total: [[]], bad: [[]] }];
    this.#arms = arms.map(({ total, bad }) => ({ total: united(total), bad: united(bad) }));
    this.#scrapes = new Scrapes([...answersOf(reading).flat(), ...reading.up]);
    this.#scrapeMs = scrapeMs;
    const [canary, baseline] = this.#arms.map(
      ({ total }) => new Set(total.map(({ labels }) => targetOf(labels))),
    );
    this.#apart = differ(canary, baseline) || differ(baseline, canary);
  }

  /** A gap when the counters do not count events. */
  cut(fromMs: number, toMs: number): CountedInterval | ReadingGap {
    let sinceMs = fromMs;
    const counts: RateArm[] = [];
    for (const arm of this.#arms) {
      const total = countBetween(arm.total, this.#scrapes, { fromMs, toMs }, this.#scrapeMs);
      const bad = countBetween(arm.bad, this.#scrapes, { fromMs, toMs }, this.#scrapeMs);
      sinceMs = Math.min(sinceMs, total.sinceMs, bad.sinceMs);
      for (const { count } of [total, bad]) {
        if (count < 0) {
          return { cause: 'source-refused', detail: `the counters count backwards (${count}), not events` };
        }
        if (Math.abs(count - Math.round(count)) <= WHOLE * Math.max(1, count)) continue;
        return { cause: 'source-refused', detail: `the counters count in fractions (${count}), not events` };
      }
      counts.push({ total: Math.round(total.count), bad: Math.round(bad.count) });
    }
    const [canary, baseline] = counts as [RateArm, RateArm];
    return { fromMs, toMs, sinceMs, canary, baseline, apart: this.#apart };
  }
}

/**
 * Instances with series that appear after `afterMs`, and nothing of the reading from before: only `up` can say whether
 * they were being scraped by then.
 */
export function instancesToAskAbout(reading: CounterReading, afterMs: number): readonly string[] {
  const series = answersOf(reading).flat();
  const scrapes = new Scrapes(series);
  const instances = new Set<string>();
  for (const { labels, atMs } of series) {
    const first = atMs[0];
    const { instance } = labels;
    if (instance === undefined || first === undefined || first <= afterMs) continue;
    if (scrapes.before(targetOf(labels), first) === null) instances.add(instance);
  }
  return [...instances];
}
