/**
 * The textbook's z-test of two proportions, repeated at every look as if it were the only one: what a script with a
 * dashboard does. Knows nothing of where its counts come from.
 * @module
 */

import { normalQuantile } from './kayenta.mjs';

/** One-sided, at a level of 1 %. */
const CRITICAL = normalQuantile(0.99);
/** Bad events on both sides below which the normal distribution says nothing. */
const LEAST = 5;

/** How many standard errors the canary's share is above the baseline's; NaN where there is nothing to compare. */
export function zScore({ canary, baseline, canaryBad, baselineBad }) {
  const pooled = (canaryBad + baselineBad) / (canary + baseline);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / canary + 1 / baseline));
  return (canaryBad / canary - baselineBad / baseline) / spread;
}

export function isWorse(counts) {
  return counts.canaryBad + counts.baselineBad >= LEAST && zScore(counts) > CRITICAL;
}
