/**
 * What a bad release costs in failed requests: so far, and until the judge has the evidence to abort it. Evidence adds
 * up over steps, as the judge forgets nothing at a step. Expectations under steady traffic; knows no ramp and no clock.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Cost, Exposure } from '../domain/ramp.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { goalOf, LEAST_SECONDS, requestsToSee } from './forecast.ts';

/** Sizes that are considered, as multiples of the smallest regression; the last ones are as good as total breakage. */
const SIZES = [1, 1.5, 2.5, 5, 10, 25, 50, 150, 500] as const;
/** A canary that fails less often than this is no bad release, whatever the baseline does; see `rule-bets.ts`. */
const BAD_RATE = 0.001;
/** Effects beyond this are bet on as if they were this large. */
const LARGEST_RATIO = 1_000;
/** From the second that holds the proof to weight 0 on the gateways. */
const REACTION_S = 2;

/** Evidence against each size of release, in the order of the sizes: 1 and more is all that it takes. */
export type Seen = readonly number[];

/** On average, and nine times of ten: normal scores. */
export const MEAN = 0;
export const NINE_OF_TEN = 1.2816;

export class BadReleases {
  readonly traffic: ServiceTraffic;
  /** Failure rates that are guarded against, ascending; the first is the smallest that counts as bad. */
  readonly rates: readonly number[];
  readonly #goal: number;
  readonly #needed = new Map<number, Map<number, readonly number[]>>();

  /** `regression`: the smallest that counts, as a multiple of the baseline's error rate. */
  constructor(plan: Plan, traffic: ServiceTraffic, regression: number) {
    this.traffic = traffic;
    this.#goal = goalOf(plan);
    const floor = Math.max(BAD_RATE, ...plan.abort.map((rule) => rule.floor ?? 0));
    const smallest = Math.min(1, Math.max(regression * traffic.errorRate, floor));
    this.rates = [...new Set(SIZES.map((size) => Math.min(1, size * smallest)))];
  }

  /** By size: canary requests at a weight until it is proven. */
  requestsToSee(weightBp: number, z: number): readonly number[] {
    const byWeight = this.#needed.get(z) ?? new Map<number, readonly number[]>();
    this.#needed.set(z, byWeight);
    const known = byWeight.get(weightBp);
    if (known !== undefined) return known;
    const needed = this.rates.map((rate) => {
      const ratio = Math.min(LARGEST_RATIO, rate / Math.max(this.traffic.errorRate, Number.EPSILON));
      return requestsToSee(this.#goal, rate / ratio, weightBp / FULL_BP, ratio, z);
    });
    byWeight.set(weightBp, needed);
    return needed;
  }

  /** What the requests so far have shown. */
  seen(exposures: readonly Exposure[], z: number): Seen {
    return exposures.reduce<Seen>(
      (sum, { weightBp, requests }) => this.seenAfter(sum, weightBp, requests, z),
      this.rates.map(() => 0),
    );
  }

  /** The same after so many more requests at a weight. */
  seenAfter(before: Seen, weightBp: number, requests: number, z: number): Seen {
    if (requests === 0) return before;
    const needed = this.requestsToSee(weightBp, z);
    return before.map((seen, size) => seen + requests / (needed[size] as number));
  }

  /**
   * Of all bad releases that would not have been seen before: the dearest, if the canary now goes to this weight.
   * `past`: canary requests so far.
   */
  worstAt(weightBp: number, seen: Seen, past: number): Cost {
    const perSecond = this.perSecond(weightBp);
    const needed = this.requestsToSee(weightBp, MEAN);
    let worst: Cost = { failures: 0, rate: 0 };
    for (const [size, rate] of this.rates.entries()) {
      const missing = 1 - (seen[size] as number);
      if (missing <= 0) continue;
      const requests = Math.max(needed[size] as number, LEAST_SECONDS * perSecond);
      const failures = rate * (past + missing * requests + REACTION_S * perSecond);
      if (failures > worst.failures) worst = { failures, rate };
    }
    return worst;
  }

  /** Canary requests per second at a weight. */
  perSecond(weightBp: number): number {
    return (this.traffic.requestsPerSecond * weightBp) / FULL_BP;
  }
}
