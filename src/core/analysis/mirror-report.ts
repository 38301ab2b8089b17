/**
 * What comparing answers has shown so far: by place, how often a candidate differs and how often the version that
 * serves differs from itself. Knows numbers and places; nothing of answers.
 * @module
 */

import { rateInterval } from './rate-interval.ts';

/** Who was asked a second time: the version under trial, or the one that had answered. */
export const MIRROR_ARMS = ['candidate', 'baseline'] as const;
export type MirrorArm = (typeof MIRROR_ARMS)[number];

/** `noise`: it differs, but only where the baseline differs from itself about as often. */
export type Comparison = 'match' | 'noise' | 'differs';

/**
 * `differs`: clearly more often than the baseline from itself. `noise`: not so, and the baseline does too. `unclear`: not
 * so yet, but the baseline never did. `learning`: too few comparisons of the baseline to say.
 */
export type PlaceVerdict = 'differs' | 'noise' | 'unclear' | 'learning';

export interface PlaceReport {
  readonly place: string;
  /** How the first difference looked. */
  readonly kind: string;
  readonly candidate: number;
  readonly baseline: number;
  readonly verdict: PlaceVerdict;
}

const MAX_PLACES = 100;
const MIN_BASELINE = 20;
const ORDER: readonly PlaceVerdict[] = ['differs', 'unclear', 'learning', 'noise'];

interface PlaceCounts {
  readonly kind: string;
  candidate: number;
  baseline: number;
}

export class MirrorReport {
  readonly compared: Record<MirrorArm, number> = { candidate: 0, baseline: 0 };
  /** Differences at places that there was no room for. */
  overflow = 0;
  readonly #places = new Map<string, PlaceCounts>();

  note(arm: MirrorArm, differences: ReadonlyMap<string, string>): Comparison {
    this.compared[arm] += 1;
    let outcome: Comparison = 'match';
    for (const [place, kind] of differences) {
      const counts = this.#places.get(place) ?? { kind, candidate: 0, baseline: 0 };
      if (!this.#places.has(place)) {
        if (this.#places.size >= MAX_PLACES) {
          this.overflow += 1;
          outcome = 'differs';
          continue;
        }
        this.#places.set(place, counts);
      }
      counts[arm] += 1;
      if (outcome !== 'differs') outcome = this.#verdict(counts) === 'noise' ? 'noise' : 'differs';
    }
    return outcome;
  }

  /** What matters most first. */
  places(): PlaceReport[] {
    return [...this.#places]
      .map(([place, counts]) => ({ place, ...counts, verdict: this.#verdict(counts) }))
      .sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || b.candidate - a.candidate);
  }

  #verdict({ candidate, baseline }: PlaceCounts): PlaceVerdict {
    const { compared } = this;
    if (compared.baseline < MIN_BASELINE) return 'learning';
    if (compared.candidate > 0) {
      const ofCandidate = rateInterval(candidate, compared.candidate);
      if (ofCandidate.low > rateInterval(baseline, compared.baseline).high) return 'differs';
    }
    return baseline > 0 ? 'noise' : 'unclear';
  }
}
