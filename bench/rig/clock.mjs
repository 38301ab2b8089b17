/**
 * One monotonic clock for all processes of a benchmark, so that moments seen by different ones can be subtracted.
 * Knows no wall clock.
 * @module
 */

/** Milliseconds with fractions since the machine started; CLOCK_MONOTONIC, the same in every process. */
export function sharedNowMs() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
