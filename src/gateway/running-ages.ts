/**
 * How old the attempts of a version are that have no answer yet, as changes from second to second: a version that
 * hangs is seen to be slow before any of its attempts ends. Knows no requests, only things that have an age.
 * @module
 */

import { binOf, type HistogramWire } from '../core/analysis/histogram.ts';

export interface Ageing {
  /** Without the time that the client took, milliseconds; stands still once there is an answer. Never falls. */
  ageMs(nowMs: number): number;
}

/** Younger ones have said nothing yet; most attempts never get here. */
const FROM_MS = 250;

export class RunningAges {
  readonly #running = new Set<Ageing>();
  #before: ReadonlyMap<number, number> = new Map();

  add(attempt: Ageing): void {
    this.#running.add(attempt);
  }

  delete(attempt: Ageing): void {
    this.#running.delete(attempt);
  }

  /**
   * What has changed since the last call: bin, count, bin, count …; negative where attempts have left a bin. Together
   * with the latencies of the attempts that ended, the counts from a bin upwards say how many have become that old.
   */
  take(nowMs: number): HistogramWire {
    if (this.#running.size === 0 && this.#before.size === 0) return [];
    const bins = new Map<number, number>();
    for (const attempt of this.#running) {
      const ageMs = attempt.ageMs(nowMs);
      if (ageMs >= FROM_MS) add(bins, binOf(ageMs * 1000), 1);
    }
    const changes = new Map(bins);
    for (const [bin, count] of this.#before) add(changes, bin, -count);
    this.#before = bins;
    return [...changes]
      .filter(([, count]) => count !== 0)
      .sort(([a], [b]) => a - b)
      .flat();
  }
}

function add(bins: Map<number, number>, bin: number, count: number): void {
  bins.set(bin, (bins.get(bin) ?? 0) + count);
}
