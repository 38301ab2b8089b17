/**
 * Log-linear latency histogram: 64 bins per power of two, so any value is known within 0.8 %, at any range.
 * Owns binning, merging and quantiles; knows neither time nor versions.
 * @module
 */

/** Values below this many units have a bin each; above, 64 bins per power of two. */
const EXACT = 128;
const SUB_BITS = 6;

/** The largest value kept apart, microseconds (2^32 − 1, about 71 minutes); larger ones count in its bin. */
export const MAX_VALUE_US = 0xffff_ffff;

/** Powers of two, as far as bins have them: raising costs more than looking up. */
const POWERS = Array.from({ length: 32 }, (_, exponent) => 2 ** exponent);

/** Number of bins. */
export const BIN_COUNT = EXACT + (32 - SUB_BITS - 1) * (1 << SUB_BITS);

/** Sparse and mergeable: bin, count, bin, count … in ascending order of bin. */
export type HistogramWire = readonly number[];

/** The sum of two sparse histograms. */
export function mergeWires(a: HistogramWire, b: HistogramWire): HistogramWire {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const merged: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const binA = a[i] ?? Number.POSITIVE_INFINITY;
    const binB = b[j] ?? Number.POSITIVE_INFINITY;
    const count = (binA <= binB ? (a[i + 1] ?? 0) : 0) + (binB <= binA ? (b[j + 1] ?? 0) : 0);
    merged.push(Math.min(binA, binB), count);
    if (binA <= binB) i += 2;
    if (binB <= binA) j += 2;
  }
  return merged;
}

/** Counts from each of `bins` (ascending, the first 0) up to the next one: sums from any of them are what they were. */
export function condenseWire(wire: HistogramWire, bins: readonly number[]): HistogramWire {
  const condensed: number[] = [];
  let at = 0;
  for (let i = 0; i + 1 < wire.length; i += 2) {
    const bin = wire[i] as number;
    while (at + 1 < bins.length && (bins[at + 1] as number) <= bin) at += 1;
    const floor = bins[at] as number;
    const last = condensed.length - 2;
    if (last >= 0 && condensed[last] === floor) {
      condensed[last + 1] = (condensed[last + 1] as number) + (wire[i + 1] as number);
    } else {
      condensed.push(floor, wire[i + 1] as number);
    }
  }
  return condensed;
}

/** Bin of a value in microseconds (a non-negative number; fractions are cut off). */
export function binOf(valueUs: number): number {
  const value = valueUs >= MAX_VALUE_US ? MAX_VALUE_US : valueUs >>> 0;
  if (value < EXACT) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return (shift << SUB_BITS) + (value >>> shift);
}

/** Lowest value of a bin, microseconds. */
export function binFloorUs(bin: number): number {
  if (bin < EXACT) return bin;
  const shift = (bin >>> SUB_BITS) - 1;
  return (bin - (shift << SUB_BITS)) * (POWERS[shift] as number);
}

/** Lowest value above a bin, microseconds. */
export function binCeilingUs(bin: number): number {
  return binFloorUs(bin + 1);
}

/** The lowest bin that holds no value below `valueUs`. */
export function binFrom(valueUs: number): number {
  const bin = binOf(valueUs);
  return binFloorUs(bin) < valueUs ? bin + 1 : bin;
}

/** Bins of one block: reading skips empty blocks, ranks are found block by block. */
const BLOCK_BITS = 6;
const BLOCK_COUNT = (BIN_COUNT >> BLOCK_BITS) + 1;

/** Counts per bin, for writing on the hot path and for merging. */
export class Histogram {
  readonly bins = new Float64Array(BIN_COUNT);
  readonly #blocks = new Float64Array(BLOCK_COUNT);
  /** Counts of a block may add up to 0 and still be there: ages are taken out of bins again. */
  readonly #touched = new Uint8Array(BLOCK_COUNT);
  total = 0;

  record(valueUs: number): void {
    this.#add(binOf(valueUs), 1);
  }

  /** Adds `sign` times the counts of `wire`; with −1 an earlier addition is taken back exactly. */
  merge(wire: HistogramWire, sign: 1 | -1 = 1): void {
    for (let i = 0; i + 1 < wire.length; i += 2) {
      const bin = wire[i] as number;
      const count = sign * (wire[i + 1] as number);
      if (bin < 0 || bin >= BIN_COUNT) continue;
      this.#add(bin, count);
    }
  }

  /** The sparse form. */
  toWire(): number[] {
    const wire: number[] = [];
    for (let block = 0; block < BLOCK_COUNT; block += 1) {
      if (this.#touched[block] === 0) continue;
      const end = Math.min(BIN_COUNT, (block + 1) << BLOCK_BITS);
      for (let bin = block << BLOCK_BITS; bin < end; bin += 1) {
        const count = this.bins[bin] as number;
        if (count !== 0) wire.push(bin, count);
      }
    }
    return wire;
  }

  clear(): void {
    this.bins.fill(0);
    this.#blocks.fill(0);
    this.#touched.fill(0);
    this.total = 0;
  }

  /**
   * The value at rank `q` (0 < q < 1, nearest-rank definition), in microseconds, as the middle of its bin;
   * `undefined` without values.
   */
  quantileUs(q: number): number | undefined {
    const bin = this.quantileBin(q);
    if (bin === undefined || bin < EXACT) return bin;
    return (binFloorUs(bin) + binCeilingUs(bin)) / 2;
  }

  /** The bin that holds the value at rank `q`; `undefined` without values. */
  quantileBin(q: number): number | undefined {
    if (this.total <= 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.total));
    let seen = 0;
    let block = 0;
    for (; seen + (this.#blocks[block] ?? Number.POSITIVE_INFINITY) < rank; block += 1) {
      seen += this.#blocks[block] as number;
    }
    for (let bin = block << BLOCK_BITS; bin < BIN_COUNT; bin += 1) {
      seen += this.bins[bin] as number;
      if (seen >= rank) return bin;
    }
    return undefined;
  }

  #add(bin: number, count: number): void {
    this.bins[bin] = (this.bins[bin] as number) + count;
    const block = bin >> BLOCK_BITS;
    this.#blocks[block] = (this.#blocks[block] as number) + count;
    this.#touched[block] = 1;
    this.total += count;
  }
}
