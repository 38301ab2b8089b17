/**
 * How much a service has been asked lately and how its baseline did: sums over the judged seconds that fade with time,
 * so that they follow the traffic and need no window. Part of a rollout's state; knows no clock.
 * @module
 */

import type { ServiceTraffic } from '../domain/service-traffic.ts';
import type { Second } from './second.ts';

/** What a few judged seconds held. */
export interface Tally {
  readonly seconds: number;
  readonly canary: number;
  readonly baseline: number;
  /** Failures of the baseline. */
  readonly bad: number;
}

/** Faded sums of tallies. JSON as it is. */
export interface TrafficMeter extends Tally {}

export const NO_TRAFFIC: TrafficMeter = { seconds: 0, canary: 0, baseline: 0, bad: 0 };

/** A second weighs 1/e of a new one after so many. */
const FADE_S = 300;
/** Less than this says nothing about a rate. */
const MIN_SECONDS = 10;
const MIN_REQUESTS = 50;

export function tallyOf(seconds: readonly Second[]): Tally {
  return seconds.reduce(
    (sum, { canary, baseline }) => ({
      seconds: sum.seconds + 1,
      canary: sum.canary + canary.total,
      baseline: sum.baseline + baseline.total,
      bad: sum.bad + baseline.bad,
    }),
    NO_TRAFFIC,
  );
}

export function addTally(meter: TrafficMeter, tally: Tally): TrafficMeter {
  const kept = Math.exp(-tally.seconds / FADE_S);
  return {
    seconds: meter.seconds * kept + tally.seconds,
    canary: meter.canary * kept + tally.canary,
    baseline: meter.baseline * kept + tally.baseline,
    bad: meter.bad * kept + tally.bad,
  };
}

/** A meter that begins with what was measured before the run, while the baseline served everything. */
export function meterOf({ requestsPerSecond, errorRate }: ServiceTraffic, overMs: number): TrafficMeter {
  const seconds = Math.min(FADE_S, overMs / 1000);
  const baseline = requestsPerSecond * seconds;
  return { seconds, canary: 0, baseline, bad: errorRate * baseline };
}

/** Null: too little to tell. */
export function trafficOf({ seconds, canary, baseline, bad }: TrafficMeter): ServiceTraffic | null {
  if (seconds < MIN_SECONDS || baseline < MIN_REQUESTS) return null;
  return { requestsPerSecond: (canary + baseline) / seconds, errorRate: bad / baseline };
}
