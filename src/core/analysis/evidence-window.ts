/**
 * The evidence window: telemetry summaries folded exactly once and merged over gateways into time buckets,
 * as far back as the longest rule looks. Pure data in, pure data out; knows no rules and no clock.
 * @module
 */

import {
  badOf,
  type LeftOut,
  seenOf,
  type TelemetrySummary,
  totalOf,
  type VersionSummary,
} from '../domain/telemetry.ts';
import { type HistogramWire, mergeWires } from './histogram.ts';

/** Buckets kept at most; a longer window gets wider buckets instead of more. */
const MAX_BUCKETS = 900;
/** Gateway incarnations remembered for de-duplication. */
const MAX_SOURCES = 10_000;

/** What one version did in one bucket, per attempt, over all gateways. */
export interface ArmBucket {
  readonly bad: number;
  readonly total: number;
  /** `total` and those whose client gave up first. */
  readonly seen: number;
  readonly latencyUs: HistogramWire;
  /** Requests that a circuit breaker refused; not attempts. */
  readonly refused: number;
  /** Mirrored answers of it that were compared; not attempts either. */
  readonly compared: number;
  readonly leftOut: LeftOut;
}

export interface Bucket {
  /** Start, epoch milliseconds by the gateways' clocks. */
  readonly startMs: number;
  readonly arms: Readonly<Record<string, ArmBucket>>;
}

export interface EvidenceWindow {
  readonly spanMs: number;
  readonly bucketMs: number;
  /** Ascending by start. */
  readonly buckets: readonly Bucket[];
  /** Highest sequence folded, by gateway and incarnation, in order of last use. */
  readonly sources: ReadonlyMap<string, number>;
  /** Summaries that never arrived, known from gaps in the sequences. */
  readonly lostSummaries: number;
}

/** An empty window that looks back `spanMs`. */
export function emptyWindow(spanMs: number): EvidenceWindow {
  const bucketMs = Math.max(1, Math.ceil(spanMs / MAX_BUCKETS / 1000)) * 1000;
  return { spanMs, bucketMs, buckets: [], sources: new Map(), lostSummaries: 0 };
}

/** Folds one summary; the same window when it was folded before or is too old to matter. */
export function foldSummary(window: EvidenceWindow, summary: TelemetrySummary): EvidenceWindow {
  const source = `${summary.gateway}\n${summary.incarnation}`;
  const last = window.sources.get(source);
  if (last !== undefined && summary.sequence <= last) return window;
  const sources = new Map(window.sources);
  sources.delete(source);
  sources.set(source, summary.sequence);
  if (sources.size > MAX_SOURCES) sources.delete(sources.keys().next().value as string);
  const gap = last === undefined ? 0 : summary.sequence - last - 1;
  return {
    ...window,
    sources,
    lostSummaries: window.lostSummaries + gap,
    buckets: addToBuckets(window, summary),
  };
}

function addToBuckets(window: EvidenceWindow, summary: TelemetrySummary): readonly Bucket[] {
  const startMs = Math.floor(summary.secondMs / window.bucketMs) * window.bucketMs;
  const newestMs = Math.max(startMs, window.buckets.at(-1)?.startMs ?? startMs);
  const oldestMs = newestMs - window.spanMs;
  if (startMs <= oldestMs) return window.buckets;
  const buckets = window.buckets.filter((bucket) => bucket.startMs > oldestMs);
  let at = buckets.length;
  while (at > 0 && (buckets[at - 1] as Bucket).startMs > startMs) at -= 1;
  const existing = buckets[at - 1];
  if (existing?.startMs === startMs) {
    buckets[at - 1] = { startMs, arms: mergeArms(existing.arms, summary.versions) };
  } else {
    buckets.splice(at, 0, { startMs, arms: mergeArms({}, summary.versions) });
  }
  return buckets;
}

function mergeArms(
  arms: Readonly<Record<string, ArmBucket>>,
  versions: Readonly<Record<string, VersionSummary>>,
): Readonly<Record<string, ArmBucket>> {
  const merged: Record<string, ArmBucket> = { ...arms };
  for (const [version, { attempts, refused = 0, mirrored, leftOut }] of Object.entries(versions)) {
    const before = merged[version];
    merged[version] = {
      bad: (before?.bad ?? 0) + badOf(attempts.outcomes),
      total: (before?.total ?? 0) + totalOf(attempts.outcomes),
      seen: (before?.seen ?? 0) + seenOf(attempts.outcomes),
      latencyUs: before ? mergeWires(before.latencyUs, attempts.latencyUs) : attempts.latencyUs,
      refused: (before?.refused ?? 0) + refused,
      compared: (before?.compared ?? 0) + (mirrored?.compared ?? 0),
      leftOut: addLeftOut(before?.leftOut, leftOut),
    };
  }
  return merged;
}

/** The buckets of the newest `lookbackMs`, measured back from the newest bucket. */
export function recentBuckets(window: EvidenceWindow, lookbackMs: number): readonly Bucket[] {
  const newest = window.buckets.at(-1);
  if (!newest) return [];
  const fromMs = newest.startMs - Math.max(lookbackMs, window.bucketMs);
  let at = window.buckets.length;
  while (at > 0 && (window.buckets[at - 1] as Bucket).startMs > fromMs) at -= 1;
  return window.buckets.slice(at);
}

/** Attempts of a version over some buckets. */
export function sumArm(
  buckets: readonly Bucket[],
  version: string,
): { bad: number; total: number; seen: number } {
  const sum = { bad: 0, total: 0, seen: 0 };
  for (const bucket of buckets) {
    const arm = bucket.arms[version];
    sum.bad += arm?.bad ?? 0;
    sum.total += arm?.total ?? 0;
    sum.seen += arm?.seen ?? 0;
  }
  return sum;
}

/** Requests for a version that circuit breakers refused, over some buckets. */
export function sumRefused(buckets: readonly Bucket[], version: string): number {
  return buckets.reduce((sum, bucket) => sum + (bucket.arms[version]?.refused ?? 0), 0);
}

/** Mirrored answers of a version that were compared, over some buckets. */
export function sumCompared(buckets: readonly Bucket[], version: string): number {
  return buckets.reduce((sum, bucket) => sum + (bucket.arms[version]?.compared ?? 0), 0);
}

/** Attempts of all versions whose values were not told apart, by dimension, over some buckets. */
export function sumLeftOut(buckets: readonly Bucket[]): LeftOut {
  return buckets
    .flatMap(({ arms }) => Object.values(arms))
    .reduce<LeftOut>((sum, { leftOut }) => addLeftOut(sum, leftOut), NOTHING_LEFT_OUT);
}

const NOTHING_LEFT_OUT: LeftOut = {};

function addLeftOut(sum: LeftOut = NOTHING_LEFT_OUT, more: LeftOut = NOTHING_LEFT_OUT): LeftOut {
  const dimensions = Object.keys(more);
  if (dimensions.length === 0) return sum;
  return {
    ...sum,
    ...Object.fromEntries(dimensions.map((name) => [name, (sum[name] ?? 0) + (more[name] ?? 0)])),
  };
}
