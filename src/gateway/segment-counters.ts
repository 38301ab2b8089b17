/**
 * Counts attempts by parts of the traffic. Owns bounded counters that idle values leave; knows neither what the parts
 * are nor what anybody concludes from them.
 * @module
 */

import { Histogram, type HistogramWire } from '../core/analysis/histogram.ts';
import type { SegmentSummary, Segments } from '../core/domain/telemetry.ts';

/** Values of one dimension that are told apart; attempts of further ones are in no segment. */
const MAX_VALUES = 32;
/** Seconds without an attempt after which a value gives its place up. */
const IDLE_S = 600;
/** Bins of a latency that count as one. */
const COARSE = 8;

class SegmentCounter {
  total = 0;
  bad = 0;
  repeated = 0;
  idleS = 0;
  readonly latencyUs = new Histogram();

  take(): SegmentSummary {
    const { total, bad, repeated } = this;
    const latencyUs = coarse(this.latencyUs.toWire());
    this.total = 0;
    this.bad = 0;
    this.repeated = 0;
    this.latencyUs.clear();
    return { total, bad, ...(repeated > 0 && { distinctBad: bad - repeated }), latencyUs };
  }
}

/** The segments of one version. */
export class SegmentCounters {
  readonly #dimensions = new Map<string, Map<string, SegmentCounter>>();

  /** `repeated`: a failure of a key that had failed shortly before. `latencyMs` null: it says nothing. */
  note(dimension: string, value: string, bad: boolean, repeated: boolean, latencyMs: number | null): void {
    const counter = this.#counter(dimension, value);
    if (counter === null) return;
    counter.total += 1;
    if (bad) counter.bad += 1;
    if (repeated) counter.repeated += 1;
    if (latencyMs !== null) counter.latencyUs.record(latencyMs * 1000);
  }

  /** The second's attempts by dimension and value; undefined without any. */
  take(): Segments | undefined {
    const segments: Record<string, Record<string, SegmentSummary>> = {};
    for (const [dimension, counters] of this.#dimensions) {
      for (const [value, counter] of counters) {
        if (counter.total === 0 && counter.latencyUs.total === 0) {
          counter.idleS += 1;
          if (counter.idleS >= IDLE_S) counters.delete(value);
          continue;
        }
        counter.idleS = 0;
        segments[dimension] ??= {};
        segments[dimension][value] = counter.take();
      }
    }
    return Object.keys(segments).length > 0 ? segments : undefined;
  }

  #counter(dimension: string, value: string): SegmentCounter | null {
    const counters = this.#dimensions.get(dimension) ?? new Map<string, SegmentCounter>();
    this.#dimensions.set(dimension, counters);
    const known = counters.get(value);
    if (known !== undefined) return known;
    if (counters.size >= MAX_VALUES) return null;
    const counter = new SegmentCounter();
    counters.set(value, counter);
    return counter;
  }
}

/** Finer would cost more on the wire than a segment is worth. */
function coarse(wire: HistogramWire): HistogramWire {
  const merged: number[] = [];
  for (let i = 0; i + 1 < wire.length; i += 2) {
    const bin = (wire[i] as number) - ((wire[i] as number) % COARSE);
    const count = wire[i + 1] as number;
    if (merged.at(-2) === bin) merged[merged.length - 1] = (merged.at(-1) as number) + count;
    else merged.push(bin, count);
  }
  return merged;
}
