/**
 * How many failures come of one cause: a user who retries, a client that loops. Learnt from how often failures repeat
 * a sticky key; what fixed rates count is discounted by it (calibrated by simulation, not a theorem).
 * @module
 */

import type { Second } from './second.ts';

export interface FailureCounts {
  readonly bad: number;
  /** Without repeats of a sticky key. */
  readonly distinct: number;
}

export const NO_FAILURES: FailureCounts = { bad: 0, distinct: 0 };

/** As if so many failures, each of its own cause, had been seen before. */
const CLUSTER_PRIOR = 20;
/** Per second: half is forgotten in ten minutes. */
const CLUSTER_DECAY = 0.5 ** (1 / 600);

/** Mean number of failures of one cause, at least 1; a few failures say little about it. */
export function clusterSize({ bad, distinct }: FailureCounts): number {
  return Math.max(1, (CLUSTER_PRIOR + bad) / (CLUSTER_PRIOR + distinct));
}

export function addFailures(before: FailureCounts, { canary, baseline }: Second): FailureCounts {
  return {
    bad: before.bad * CLUSTER_DECAY + canary.bad + baseline.bad,
    distinct: before.distinct * CLUSTER_DECAY + canary.distinctBad + baseline.distinctBad,
  };
}
