/**
 * What a gateway reports once a second for each service: mergeable counts and latency histograms per version.
 * The unit of evidence; knows neither transport nor judge.
 * @module
 */

import type { HistogramWire } from '../analysis/histogram.ts';

/**
 * Counts by outcome. `bad` outcomes are what a 5xx rule counts: a status of 500 or more, and attempts that
 * ended without a status (`connectError`, `reset`, `timeout`), because their caller sees a 502 or 504.
 * `clientAborted`: the client gave up before there was an outcome of the version's own; in no other count.
 */
export interface OutcomeCounts {
  readonly status2xx: number;
  readonly status3xx: number;
  readonly status4xx: number;
  readonly status5xx: number;
  readonly connectError: number;
  readonly reset: number;
  readonly timeout: number;
  readonly clientAborted: number;
}

export type Outcome = keyof OutcomeCounts;

/** One view of one version in one second. */
export interface Traffic {
  readonly outcomes: OutcomeCounts;
  /**
   * Time to the last byte in microseconds (an attempt without a status: until it failed; a stream: until its
   * head). Of an aborted one: until its client gave up, without the time in which the response was in flow, a
   * lower bound of what it would have taken, unless the client had not sent its whole request. So its total may
   * exceed `totalOf(outcomes)`, by `clientAborted` at most.
   */
  readonly latencyUs: HistogramWire;
}

/** Attempts of one part of a version's traffic in one second. */
export interface SegmentSummary {
  readonly total: number;
  readonly bad: number;
  /** As of the version. Left out when all count. */
  readonly distinctBad?: number;
  /** In the bins of other latencies, but eight of them count as their lowest: known within 9 %, rounded down. */
  readonly latencyUs: HistogramWire;
}

/** By dimension (`endpoint`, `route`, …) and value. */
export type Segments = Readonly<Record<string, Readonly<Record<string, SegmentSummary>>>>;

/** By dimension: attempts with a value that found no place. */
export type LeftOut = Readonly<Record<string, number>>;

/** Dimension whose values differ between versions: one instance each. */
export const INSTANCE_DIMENSION = 'endpoint';

/** What a gateway reports of instances beyond those that it tells apart. No endpoint can have this name. */
export const OTHER_INSTANCES = 'endpoints beyond the first 256';

export interface VersionSummary {
  /** One entry per try of an upstream. The analysis judges these: a retry never hides a bad canary. */
  readonly attempts: Traffic;
  /** What clients saw, one per request, whatever retries, caches and fallbacks made of it. */
  readonly responses: Traffic;
  /** Requests that a match override sent here. In neither count above: testers are not a random sample. */
  readonly forced: number;
  /**
   * Requests that a circuit breaker or an adaptive limit refused to send here, or for which no endpoint was known: in `responses` (their clients got an answer), not in
   * `attempts` (the version was not asked). While there are any, what is left in `attempts` is a remnant chosen
   * by the version's own failures. Left out when 0.
   */
  readonly refused?: number;
  /** Users of a sample (one in eight) who were new under the split in force. Left out when 0. */
  readonly newKeys?: number;
  /** Bad attempts without the repeats of one sticky key within 30 s at this gateway. Left out when all count. */
  readonly distinctBad?: number;
  /**
   * What a rollout's mirror showed of this version: of the canary asked beside the baseline, of the baseline asked a
   * second time. Neither is in any other count. Left out when nothing was compared.
   */
  readonly mirrored?: MirroredCounts;
  /**
   * Changes of the ages of attempts without an answer since the second before: bin, count, bin, count …, counts
   * negative where attempts have left a bin. Added to `attempts.latencyUs`, the counts from a bin upwards say how
   * many attempts have become that slow in this second, whether or not they have ended. Left out when empty.
   */
  readonly running?: HistogramWire;
  /** `attempts` by parts, as far as the gateway tells them apart. Left out when it does not. */
  readonly segments?: Segments;
  /** By dimension: attempts whose values are not told apart, because it has too many. Left out when there are none. */
  readonly leftOut?: LeftOut;
}

/** Comparisons of mirrored answers with the ones that clients got; see `core/analysis/mirror-noise.ts`. */
export interface MirroredCounts {
  readonly compared: number;
  /** With a difference in a place that was not known as noise. Among `compared`. */
  readonly differing: number;
}

/** Delivered at least once; folded exactly once by (gateway, incarnation, service, sequence). */
export interface TelemetrySummary {
  readonly gateway: string;
  /** Random per process start. */
  readonly incarnation: string;
  readonly service: string;
  /** 1, 2, 3 … per incarnation and service. A gap means lost summaries. */
  readonly sequence: number;
  /** Start of the second, epoch milliseconds by the gateway's clock. */
  readonly secondMs: number;
  /** Revision of the split that was in force at the end of the second. */
  readonly revision: number;
  /** Versions without traffic are left out; a second without any is still sent, as a sign of life. */
  readonly versions: Readonly<Record<string, VersionSummary>>;
}

export const NO_OUTCOMES: OutcomeCounts = {
  status2xx: 0,
  status3xx: 0,
  status4xx: 0,
  status5xx: 0,
  connectError: 0,
  reset: 0,
  timeout: 0,
  clientAborted: 0,
};

/** Requests with an outcome of the version's own; the latencies may be more (see `Traffic`). */
export function totalOf(outcomes: OutcomeCounts): number {
  const { status2xx, status3xx, status4xx } = outcomes;
  return status2xx + status3xx + status4xx + badOf(outcomes);
}

/** Requests that reached the version, also those whose client gave up first. */
export function seenOf(outcomes: OutcomeCounts): number {
  return totalOf(outcomes) + outcomes.clientAborted;
}

/** What a 5xx rule counts. */
export function badOf(outcomes: OutcomeCounts): number {
  return outcomes.status5xx + outcomes.connectError + outcomes.reset + outcomes.timeout;
}
