/** Seconds of traffic for tests of the judge: counts as given, latencies around the ones given. */

import { Histogram } from '../../../src/core/analysis/histogram.ts';
import type { ArmSecond, Second } from '../../../src/core/analysis/second.ts';

export interface ArmLike {
  readonly ok?: number;
  readonly bad?: number;
  /** Of all requests of the second. */
  readonly latenciesMs?: readonly number[];
}

export function arm({ ok = 0, bad = 0, latenciesMs }: ArmLike): ArmSecond {
  const histogram = new Histogram();
  const total = ok + bad;
  for (const ms of latenciesMs ?? Array.from({ length: total }, () => 20)) histogram.record(ms * 1000);
  return { total, bad, distinctBad: bad, seen: total, latencyUs: histogram.toWire() };
}

export function second(at: number, canary: ArmLike, baseline: ArmLike): Second {
  return { startMs: at * 1000, canary: arm(canary), baseline: arm(baseline) };
}
