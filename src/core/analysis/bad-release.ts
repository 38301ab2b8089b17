/**
 * What a bad release costs in failed requests: so far, and until the judge has the evidence to abort it. Evidence adds
 * up over steps, as the judge forgets nothing at a step. Expectations under steady traffic; knows no ramp and no clock.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Cost, Exposure } from '../domain/ramp.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { LEAST_SECONDS, requestsToSee } from './forecast.ts';

/** Sizes that are considered, as multiples of the smallest regression; the last ones are as good as total breakage. */
const SIZES = [1, 1.5, 2.5, 5, 10, 25, 50, 150, 500] as const;
/** A canary that fails less often than this is no bad release, whatever the baseline does; see `rule-bets.ts`. */
const BAD_RATE = 0.001;
/** Effects beyond this are bet on as if they were this large. */
const LARGEST_RATIO = 1_000;
/** From the second that holds the proof to weight 0 on the gateways. */
const REACTION_S = 2;

export class BadReleases {
  readonly #plan: Plan;
  readonly traffic: ServiceTraffic;
  /** Failure rates that are guarded against, ascending; the first is the smallest that counts as bad. */
  readonly rates: readonly number[];
  readonly #needed = new Map<string, number>();

  /** `regression`: the smallest that counts, as a multiple of the baseline's error rate. */
  constructor(plan: Plan, traffic: ServiceTraffic, regression: number) {
    this.#plan = plan;
    this.traffic = traffic;
    const floor = Math.max(BAD_RATE, ...plan.abort.map((rule) => rule.floor ?? 0));
    const smallest = Math.min(1, Math.max(regression * traffic.errorRate, floor));
    this.rates = [...new Set(SIZES.map((size) => Math.min(1, size * smallest)))];
  }

  /** The share of the evidence against a release of this rate that the requests so far have brought; 1 and more: all. */
  seen(rate: number, exposures: readonly Exposure[], z = 0): number {
    return exposures.reduce(
      (sum, { weightBp, requests }) =>
        requests === 0 ? sum : sum + requests / this.requestsToSee(rate, weightBp, z),
      0,
    );
  }

  /** Canary requests at a weight until a release of this rate is proven; `z` 0: on average, 1.28: nine times of ten. */
  requestsToSee(rate: number, weightBp: number, z = 0): number {
    const key = `${rate}/${weightBp}/${z}`;
    const known = this.#needed.get(key);
    if (known !== undefined) return known;
    const ratio = Math.min(LARGEST_RATIO, rate / Math.max(this.traffic.errorRate, Number.EPSILON));
    const traffic = { ...this.traffic, errorRate: rate / ratio };
    const needed = requestsToSee(this.#plan, traffic, weightBp / FULL_BP, ratio, z);
    this.#needed.set(key, needed);
    return needed;
  }

  /** Of all bad releases that would not have been seen before: the dearest, if the canary now goes to this weight. */
  worstAt(weightBp: number, exposures: readonly Exposure[]): Cost {
    const perSecond = this.perSecond(weightBp);
    const past = exposures.reduce((sum, { requests }) => sum + requests, 0);
    let worst: Cost = { failures: 0, rate: 0 };
    for (const rate of this.rates) {
      const seen = this.seen(rate, exposures);
      if (seen >= 1) continue;
      const needed = Math.max(this.requestsToSee(rate, weightBp), LEAST_SECONDS * perSecond);
      const failures = rate * (past + (1 - seen) * needed + REACTION_S * perSecond);
      if (failures > worst.failures) worst = { failures, rate };
    }
    return worst;
  }

  /** Canary requests per second at a weight. */
  perSecond(weightBp: number): number {
    return (this.traffic.requestsPerSecond * weightBp) / FULL_BP;
  }
}
