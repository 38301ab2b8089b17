/**
 * Whether the canary's share of the requests has jumped between two intervals: its weight was changed in one of them.
 * For a past of which nobody has written down the weights.
 * @module
 */

import type { CountedInterval } from './counter-reading.ts';

/** Standard errors that shares are apart by, as chance as good as never has them … */
const CLEARANCE = 6;
/** … and the factor: an uneven hour is no change of weights. */
const FACTOR = 1.3;

type Counts = Pick<CountedInterval, 'canary' | 'baseline'>;

export function shareJumped(before: Counts, after: Counts): boolean {
  const [earlier, later] = [allOf(before), allOf(after)];
  if (earlier === 0 || later === 0) return false;
  const [p, q] = [before.canary.total / earlier, after.canary.total / later];
  const pooled = (before.canary.total + after.canary.total) / (earlier + later);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / earlier + 1 / later));
  const far =
    Math.max(p, q) > FACTOR * Math.min(p, q) || Math.max(1 - p, 1 - q) > FACTOR * Math.min(1 - p, 1 - q);
  return far && Math.abs(p - q) > CLEARANCE * error;
}

function allOf({ canary, baseline }: Counts): number {
  return canary.total + baseline.total;
}
