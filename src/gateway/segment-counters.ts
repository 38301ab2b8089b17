/**
 * Counts attempts by parts of the traffic. Owns bounded counters that idle values leave; knows neither what the parts
 * are nor what anybody concludes from them.
 * @module
 */

import { BIN_COUNT, binOf, type HistogramWire } from '../core/analysis/histogram.ts';
import {
  INSTANCE_DIMENSION,
  type LeftOut,
  OTHER_INSTANCES,
  type SegmentSummary,
  type Segments,
} from '../core/domain/telemetry.ts';
import { MAX_DISCOVERED } from './limits.ts';

/** Values of one dimension that are told apart … */
const MAX_VALUES = 32;
/** … but of instances as many as one source may name: a bad one must not hide among those that nobody counts. */
const MAX_INSTANCES = MAX_DISCOVERED;
/** Seconds without an attempt after which a value gives its place up. */
const IDLE_S = 600;
/** Bins of a latency that count as one. Finer would cost more on the wire than a segment is worth. */
const COARSE = 8;

class SegmentCounter {
  total = 0;
  bad = 0;
  repeated = 0;
  idleS = 0;
  readonly #latencies = new Float64Array(Math.ceil(BIN_COUNT / COARSE));
  #timed = 0;

  note(bad: boolean, repeated: boolean, latencyMs: number | null): void {
    this.total += 1;
    if (bad) this.bad += 1;
    if (repeated) this.repeated += 1;
    if (latencyMs === null) return;
    const bin = Math.floor(binOf(latencyMs * 1000) / COARSE);
    this.#latencies[bin] = (this.#latencies[bin] ?? 0) + 1;
    this.#timed += 1;
  }

  take(): SegmentSummary {
    const { total, bad, repeated } = this;
    const latencyUs = this.#takeLatencies();
    this.total = 0;
    this.bad = 0;
    this.repeated = 0;
    return { total, bad, ...(repeated > 0 && { distinctBad: bad - repeated }), latencyUs };
  }

  #takeLatencies(): HistogramWire {
    const wire: number[] = [];
    for (let bin = 0; this.#timed > 0; bin += 1) {
      const count = this.#latencies[bin] as number;
      if (count === 0) continue;
      wire.push(bin * COARSE, count);
      this.#latencies[bin] = 0;
      this.#timed -= count;
    }
    return wire;
  }
}

/** The segments of one version. */
export class SegmentCounters {
  /** By dimension: attempts so far whose values found no place. */
  readonly leftOut = new Map<string, number>();
  /** As of the end of the last second. */
  readonly #leftOutBefore = new Map<string, number>();
  readonly #dimensions = new Map<string, Map<string, SegmentCounter>>();

  /** `repeated`: a failure of a key that had failed shortly before. `latencyMs` null: it says nothing. */
  note(dimension: string, value: string, bad: boolean, repeated: boolean, latencyMs: number | null): void {
    const counters = this.#dimensions.get(dimension) ?? new Map<string, SegmentCounter>();
    this.#dimensions.set(dimension, counters);
    const known = counters.get(value);
    if (known !== undefined) {
      known.note(bad, repeated, latencyMs);
      return;
    }
    const ofInstances = dimension === INSTANCE_DIMENSION;
    if (counters.size < (ofInstances ? MAX_INSTANCES : MAX_VALUES)) {
      added(counters, value).note(bad, repeated, latencyMs);
      return;
    }
    this.leftOut.set(dimension, (this.leftOut.get(dimension) ?? 0) + 1);
    // By other dimensions versions are compared: of each, other values may be left over.
    if (!ofInstances) return;
    const others = counters.get(OTHER_INSTANCES) ?? added(counters, OTHER_INSTANCES);
    others.note(bad, repeated, latencyMs);
  }

  /** The second's attempts by dimension and value; undefined without any. */
  take(): Segments | undefined {
    const segments: Record<string, Record<string, SegmentSummary>> = {};
    for (const [dimension, counters] of this.#dimensions) {
      for (const [value, counter] of counters) {
        if (counter.total === 0) {
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

  /** The second's attempts that found no place; undefined without any. */
  takeLeftOut(): LeftOut | undefined {
    const second: Record<string, number> = {};
    for (const [dimension, count] of this.leftOut) {
      const before = this.#leftOutBefore.get(dimension) ?? 0;
      if (count > before) second[dimension] = count - before;
      this.#leftOutBefore.set(dimension, count);
    }
    return Object.keys(second).length > 0 ? second : undefined;
  }
}

function added(counters: Map<string, SegmentCounter>, value: string): SegmentCounter {
  const counter = new SegmentCounter();
  counters.set(value, counter);
  return counter;
}
