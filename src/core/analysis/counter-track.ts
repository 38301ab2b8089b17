/**
 * How far the counters of one rule have been read: which span to read next, and which intervals a reading completes.
 * Pure: it is told the time, and goes on where the judge's memory ends.
 * @module
 */

import { formatDuration } from '../domain/duration.ts';
import type { Rule } from '../domain/rule.ts';
import type { CounterInterval } from './counter-interval.ts';
import type { Span } from './counter-reader.ts';
import {
  answersOf,
  type CountedInterval,
  CounterCutter,
  type CounterReading,
  type ReadingGap,
  readingCompleteToMs,
  readingGap,
  scrapeIntervalOf,
} from './counter-reading.ts';
import { LOOKBACK_MS, newestMs, STALE_SCRAPES } from './counter-samples.ts';
import { compares } from './rule-counts.ts';
import { MAX_BEHIND_MS, mirroredWithin, movedWithin, stepBeganMs, type WeightMove } from './weight-moves.ts';

/** Prometheus' clock may be ahead of the operator's by this much. */
const AHEAD_MS = 60_000;
/** Read at once of what is long past. */
const CHUNK_MS = 600_000;
/** An interval is no shorter than the seconds that other rules bet on. */
const MIN_INTERVAL_MS = 1_000;

export interface TrackOptions {
  readonly rule: Rule;
  /** Its index in the plan. */
  readonly at: number;
  /** Start of the run, epoch milliseconds: what was counted before is another run's. */
  readonly sinceMs: number;
  /** What was bet on before: intervals up to here fill windows. Null: nothing. */
  readonly countedToMs: number | null;
  /** Between two scrapes, milliseconds; null: as the samples show. */
  readonly scrapeMs: number | null;
}

export interface NextSpan extends Span {
  /** So long ago that all of it has been stored; more is to be read at once. */
  readonly past: boolean;
}

export class CounterTrack {
  readonly #options: TrackOptions;
  #cursorMs: number;
  #newestMs = 0;
  #newestSeenAtMs = 0;
  /** What the newest interval could not be counted for. */
  #problem: ReadingGap | null = null;
  /** Why there is no evidence now; null when there is. */
  gap: ReadingGap | null = { cause: 'not-asked-yet', detail: 'waiting for the first scrapes of the run' };

  constructor(options: TrackOptions) {
    const { rule, sinceMs, countedToMs } = options;
    this.#options = options;
    this.#cursorMs = countedToMs === null ? sinceMs : Math.max(sinceMs, countedToMs - rule.overMs);
  }

  next(nowMs: number): NextSpan {
    this.#cursorMs = Math.max(this.#cursorMs, nowMs - MAX_BEHIND_MS);
    const past = nowMs - this.#cursorMs > CHUNK_MS + LOOKBACK_MS;
    return { fromMs: this.#cursorMs, toMs: past ? this.#cursorMs + CHUNK_MS : nowMs + AHEAD_MS, past };
  }

  /**
   * The intervals that have become complete, in order, each of them once. `moves`: of weights in the run, ascending.
   */
  advance(
    reading: CounterReading,
    { toMs, past }: NextSpan,
    nowMs: number,
    moves: readonly WeightMove[],
  ): readonly CounterInterval[] {
    const scrapeMs = this.#options.scrapeMs ?? scrapeIntervalOf(reading);
    const completeMs = past || scrapeMs === null ? toMs : (readingCompleteToMs(reading, scrapeMs) ?? 0);
    if (!past) this.gap = this.#gapNow(reading, scrapeMs, nowMs);
    if (scrapeMs === null) {
      if (past) this.#cursorMs = toMs;
      return [];
    }
    const cutter = new CounterCutter(reading, scrapeMs);
    const intervals: CounterInterval[] = [];
    for (let endMs = this.#end(scrapeMs); endMs <= completeMs; endMs = this.#end(scrapeMs)) {
      const counted = cutter.cut(this.#cursorMs, endMs);
      this.#problem = 'cause' in counted ? counted : null;
      if (!('cause' in counted)) intervals.push(this.#interval(counted, moves));
      this.#cursorMs = endMs;
    }
    this.gap ??= this.#problem;
    return intervals;
  }

  /** End of the next interval. What was bet on before ends where it ended then. */
  #end(scrapeMs: number): number {
    const endMs = this.#cursorMs + Math.max(MIN_INTERVAL_MS, scrapeMs);
    const { countedToMs } = this.#options;
    return countedToMs !== null && this.#cursorMs < countedToMs ? Math.min(endMs, countedToMs) : endMs;
  }

  #interval(counted: CountedInterval, moves: readonly WeightMove[]): CounterInterval {
    const { at, sinceMs } = this.#options;
    const { fromMs, toMs } = counted;
    // What is of no client, mirrored or from before the run, is not the canary's to answer for.
    if (counted.sinceMs < sinceMs || mirroredWithin(moves, counted.sinceMs, toMs)) {
      const none = { bad: 0, total: 0 };
      return { rule: at, fromMs, toMs, canary: none, baseline: none, apart: false, bet: 'nothing' };
    }
    const { canary, baseline, apart } = counted;
    return { rule: at, fromMs, toMs, canary, baseline, apart, bet: this.#betOn(counted, moves) };
  }

  #betOn({ sinceMs, toMs }: CountedInterval, moves: readonly WeightMove[]): CounterInterval['bet'] {
    if (movedWithin(moves, sinceMs, toMs)) return compares(this.#options.rule) ? 'nothing' : 'worse';
    return toMs <= stepBeganMs(moves) ? 'worse' : 'all';
  }

  #gapNow(reading: CounterReading, scrapeMs: number | null, nowMs: number): ReadingGap | null {
    const newest = newestMs(answersOf(reading).flat()) ?? 0;
    if (newest > this.#newestMs) {
      this.#newestMs = newest;
      this.#newestSeenAtMs = nowMs;
    }
    const found = readingGap(reading, scrapeMs ?? LOOKBACK_MS / STALE_SCRAPES, compares(this.#options.rule));
    if (found !== null) return found;
    if (scrapeMs === null) return { cause: 'not-asked-yet', detail: 'nothing has been scraped twice yet' };
    const silentMs = nowMs - this.#newestSeenAtMs;
    if (silentMs > STALE_SCRAPES * scrapeMs) {
      return { cause: 'stale', detail: `no new sample for ${formatDuration(silentMs)}` };
    }
    return null;
  }
}
