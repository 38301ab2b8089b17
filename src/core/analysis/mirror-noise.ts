/**
 * Which places of answers are noise, learnt as a rollout's mirror goes: those at which the baseline has differed from
 * itself before. What an answer counts as is settled by the past alone and alike for both versions, so that a canary that
 * differs no more than the baseline from itself is judged by a fair coin (see `mirrored.ts`). Knows places only.
 * @module
 */

import type { MirrorArm } from './mirror-report.ts';

/** Answers of the baseline asked again that only teach: most of the noise is known after so many. */
const LESSONS = 10;
/** Answers with more different places than this have no shape to be judged by. */
const MAX_PLACES = 2_000;

export class MirrorNoise {
  readonly #places = new Set<string>();
  #lessons = 0;

  /** Whether the answer differs in a place that is no noise; null: it does not count, there is too much to learn yet. */
  note(arm: MirrorArm, places: Iterable<string>): boolean | null {
    const learning = this.#lessons < LESSONS || this.#places.size > MAX_PLACES;
    let differs = false;
    for (const place of places) {
      if (this.#places.has(place)) continue;
      differs = true;
      if (arm === 'baseline' && this.#places.size <= MAX_PLACES) this.#places.add(place);
    }
    if (arm === 'baseline') this.#lessons += 1;
    return learning ? null : differs;
  }
}
