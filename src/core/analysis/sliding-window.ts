/**
 * The newest seconds of both versions, with running sums: what a point estimate looks back over. A step of it costs
 * the same however long the window is. Derived data: it can be filled again from the same seconds.
 * @module
 */

import { Histogram, type HistogramWire, mergeWires } from './histogram.ts';
import type { ArmSecond, TimedArms } from './second.ts';

/** A longer window gets wider buckets instead of more. */
const MAX_BUCKETS = 900;

export interface ArmSums {
  total: number;
  bad: number;
  seen: number;
}

interface Bucket {
  readonly startMs: number;
  readonly canary: BucketArm;
  readonly baseline: BucketArm;
}

interface BucketArm extends ArmSums {
  latencyUs: HistogramWire;
}

/** One version over the window. */
export class WindowArm {
  readonly sums: ArmSums = { total: 0, bad: 0, seen: 0 };
  /** Null in a window that no latency is asked of. */
  readonly latencyUs: Histogram | null;

  constructor(withLatency: boolean) {
    this.latencyUs = withLatency ? new Histogram() : null;
  }
}

export class SlidingWindow {
  readonly spanMs: number;
  readonly canary: WindowArm;
  readonly baseline: WindowArm;
  readonly #bucketMs: number;
  /** Ascending; the ones before `#from` have slid out. */
  #buckets: Bucket[] = [];
  #from = 0;

  constructor(spanMs: number, withLatency: boolean) {
    this.spanMs = spanMs;
    this.#bucketMs = Math.max(1, Math.ceil(spanMs / MAX_BUCKETS / 1000)) * 1000;
    this.canary = new WindowArm(withLatency);
    this.baseline = new WindowArm(withLatency);
  }

  /** Seconds come in ascending order. */
  add(second: TimedArms): void {
    const startMs = Math.floor(second.startMs / this.#bucketMs) * this.#bucketMs;
    let bucket = this.#buckets.at(-1);
    if (bucket === undefined || bucket.startMs < startMs) {
      bucket = { startMs, canary: emptyArm(), baseline: emptyArm() };
      this.#buckets.push(bucket);
    }
    put(this.canary, bucket.canary, second.canary);
    put(this.baseline, bucket.baseline, second.baseline);
    this.#slide(startMs - this.spanMs);
  }

  /** Sums of the newest `lookbackMs`. */
  recent(lookbackMs: number): { readonly canary: ArmSums; readonly baseline: ArmSums } {
    const canary = { total: 0, bad: 0, seen: 0 };
    const baseline = { total: 0, bad: 0, seen: 0 };
    for (const bucket of this.#newest(lookbackMs)) {
      addSums(canary, bucket.canary);
      addSums(baseline, bucket.baseline);
    }
    return { canary, baseline };
  }

  /** Latencies of the canary in the newest `lookbackMs`. */
  *recentLatencies(lookbackMs: number): Generator<HistogramWire> {
    for (const bucket of this.#newest(lookbackMs)) yield bucket.canary.latencyUs;
  }

  *#newest(lookbackMs: number): Generator<Bucket> {
    const newest = this.#buckets.at(-1);
    if (newest === undefined) return;
    const fromMs = newest.startMs - Math.max(lookbackMs, this.#bucketMs);
    for (let at = this.#buckets.length - 1; at >= this.#from; at -= 1) {
      const bucket = this.#buckets[at] as Bucket;
      if (bucket.startMs <= fromMs) return;
      yield bucket;
    }
  }

  #slide(toMs: number): void {
    for (let oldest = this.#buckets[this.#from]; oldest !== undefined; oldest = this.#buckets[this.#from]) {
      if (oldest.startMs > toMs) break;
      take(this.canary, oldest.canary);
      take(this.baseline, oldest.baseline);
      this.#from += 1;
    }
    if (this.#from <= MAX_BUCKETS) return;
    this.#buckets = this.#buckets.slice(this.#from);
    this.#from = 0;
  }
}

function emptyArm(): BucketArm {
  return { total: 0, bad: 0, seen: 0, latencyUs: [] };
}

function put(arm: WindowArm, bucket: BucketArm, second: ArmSecond): void {
  addSums(arm.sums, second);
  addSums(bucket, second);
  if (arm.latencyUs === null) return;
  arm.latencyUs.merge(second.latencyUs);
  bucket.latencyUs = mergeWires(bucket.latencyUs, second.latencyUs);
}

function take(arm: WindowArm, bucket: BucketArm): void {
  arm.sums.total -= bucket.total;
  arm.sums.bad -= bucket.bad;
  arm.sums.seen -= bucket.seen;
  arm.latencyUs?.merge(bucket.latencyUs, -1);
}

function addSums(sums: ArmSums, more: Readonly<ArmSums>): void {
  sums.total += more.total;
  sums.bad += more.bad;
  sums.seen += more.seen;
}
