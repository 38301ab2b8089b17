/**
 * One second of a rollout as the judge sees it: what both versions did in it, summed over all gateways.
 * Knows neither rules nor how seconds are collected.
 * @module
 */

import type { MirroredCounts } from '../domain/telemetry.ts';
import type { HistogramWire } from './histogram.ts';
import type { SplitSecond } from './split-check.ts';

/** One version in one second, per attempt. */
export interface ArmSecond {
  readonly total: number;
  readonly bad: number;
  /** `bad` without the repeated failures of a sticky key within half a minute: clusters of one cause count once. */
  readonly distinctBad: number;
  /** `total` and those whose client gave up first. */
  readonly seen: number;
  /**
   * Attempts that began in this second, each at the age it reached; ages that grew since are taken out of their
   * old bin and put into the new one. So counts may be negative, and the sum of all bins from a cut upwards is
   * the number of attempts whose age passed the cut in this second, finished or not.
   */
  readonly latencyUs: HistogramWire;
}

/** Comparisons of mirrored answers of both versions, over all gateways. */
export interface MirroredSecond {
  readonly canary: MirroredCounts;
  readonly baseline: MirroredCounts;
}

/** Both sides of a comparison. */
export interface Arms {
  readonly canary: ArmSecond;
  readonly baseline: ArmSecond;
}

/** A second of a part of the traffic, or of all of it. */
export interface TimedArms extends Arms {
  /** Epoch milliseconds, a whole second. */
  readonly startMs: number;
}

export interface Second extends TimedArms {
  /** New users; left out when there were none, or when gateways served different splits. */
  readonly users?: SplitSecond;
  /** By segment, such as `route=checkout`: parts of the traffic that both versions have. Left out without any. */
  readonly segments?: Readonly<Record<string, Arms>>;
  /** The canary by instance. Left out where gateways do not tell them apart. */
  readonly instances?: Readonly<Record<string, ArmSecond>>;
  /** Left out when nothing was compared. */
  readonly mirrored?: MirroredSecond;
}

export const QUIET_ARM: ArmSecond = { total: 0, bad: 0, distinctBad: 0, seen: 0, latencyUs: [] };

/** What a second says of the baseline alone: before its run, a canary of the same name is an earlier release's. */
export function baselineOf({ startMs, baseline, segments }: Second): Second {
  const history = Object.entries(segments ?? {}).map(([name, arms]) => [
    name,
    { ...arms, canary: QUIET_ARM },
  ]);
  return { startMs, canary: QUIET_ARM, baseline, ...(segments && { segments: Object.fromEntries(history) }) };
}

/** Attempts in the bins from `bin` upwards; never negative, as no attempt gets younger. */
export function countFrom(latencyUs: HistogramWire, bin: number): number {
  let count = 0;
  for (let i = latencyUs.length - 2; i >= 0; i -= 2) {
    if ((latencyUs[i] as number) < bin) break;
    count += latencyUs[i + 1] as number;
  }
  return Math.max(0, count);
}

/** Attempts that began. */
export function countBegun(latencyUs: HistogramWire): number {
  return countFrom(latencyUs, 0);
}
