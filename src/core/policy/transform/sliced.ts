/**
 * Work that is done in slices, so that whoever runs it can let others go first in between. Pure; knows neither what
 * the work is nor when its slices run.
 * @module
 */

/** Each `next()` does one slice; the last one gives the result, or throws. */
export type Sliced<T> = Generator<undefined, T, undefined>;

/** All slices, one right after the other. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
