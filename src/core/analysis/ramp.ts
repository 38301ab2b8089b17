/**
 * The fastest ramp whose expected cost of a bad release stays within a budget of failed requests, whatever the size of
 * the regression. Searches a grid of weights and holds with the forecast's own arithmetic; knows no clock.
 * @module
 */

import type { Plan, Step } from '../domain/plan.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { LEAST_SECONDS, requestsToSee } from './forecast.ts';

export interface Ramp {
  readonly steps: readonly { readonly weightBp: number; readonly holdMs: number }[];
  readonly durationMs: number;
  /** Expected failed requests of the worst release, and its size as a multiple of the baseline's errors. */
  readonly worst: { readonly failures: number; readonly size: number };
}

const WEIGHTS_BP = [10, 25, 50, 100, 200, 500, 1_000, 2_000, 3_500, 5_000] as const;
const HOLDS_MS = [1, 2, 5, 10, 15, 30, 60, 120].map((minutes) => minutes * 60_000);
/** Multiples of the baseline's error rate; the last ones are as good as total breakage. */
const SIZES = [2, 3, 5, 10, 20, 50, 100, 300, 1_000] as const;
/** From the second that holds the proof to weight 0 on the gateways. */
const REACTION_S = 2;

/** Null: no ramp of the grid stays within the budget. */
export function fastestRamp(plan: Plan, traffic: ServiceTraffic, budget: number): Ramp | null {
  let best: Ramp | null = null;
  for (const holdMs of HOLDS_MS) {
    const ramp = climb(plan, traffic, budget, holdMs);
    if (ramp !== null && (best === null || ramp.durationMs < best.durationMs)) best = ramp;
  }
  return best;
}

/** Always the highest next weight that the budget allows, each held for the same time. */
function climb(plan: Plan, traffic: ServiceTraffic, budget: number, holdMs: number): Ramp | null {
  const steps: { weightBp: number; holdMs: number }[] = [];
  for (let from = 0; from < WEIGHTS_BP.length; ) {
    const next = WEIGHTS_BP.findLastIndex(
      (weightBp, at) =>
        at >= from && worstCost(plan, traffic, [...steps, { weightBp, holdMs }]).failures <= budget,
    );
    if (next < 0) return null;
    steps.push({ weightBp: WEIGHTS_BP[next] as number, holdMs });
    from = next + 1;
  }
  // At 100 % nothing is left to compare with: what was not seen by then costs for ever.
  if (!steps.some((step) => sees(plan, traffic, step, namedSize(plan)))) return null;
  const ramp = [...steps, { weightBp: FULL_BP, holdMs: 0 }];
  return { steps: ramp, durationMs: steps.length * holdMs, worst: worstCost(plan, traffic, steps) };
}

type Held = Pick<Step, 'weightBp' | 'holdMs'>;

/** Over all sizes: what fails until a step proves it, in holds that pass unseen and in the one that sees it. */
function worstCost(plan: Plan, traffic: ServiceTraffic, steps: readonly Held[]): Ramp['worst'] {
  let worst = { failures: 0, size: 1 };
  for (const size of SIZES) {
    const failures = costOf(plan, traffic, steps, size);
    if (failures > worst.failures) worst = { failures, size };
  }
  return worst;
}

/** The smallest regression that a rule of the plan names. */
function namedSize({ abort }: Plan): number {
  const factors = abort.flatMap(({ condition }) =>
    condition.kind === 'rate-ratio' ? [condition.factor] : [],
  );
  return factors.length > 0 ? Math.min(...factors) : SIZES[0];
}

function sees(plan: Plan, traffic: ServiceTraffic, { weightBp, holdMs }: Held, size: number): boolean {
  const share = weightBp / FULL_BP;
  return requestsToSee(plan, traffic, share, size) <= (share * traffic.requestsPerSecond * holdMs) / 1000;
}

function costOf(plan: Plan, traffic: ServiceTraffic, steps: readonly Held[], size: number): number {
  const rate = Math.min(1, size * traffic.errorRate);
  let failures = 0;
  for (const { weightBp, holdMs } of steps) {
    const share = weightBp / FULL_BP;
    const perSecond = share * traffic.requestsPerSecond;
    const inHold = (perSecond * holdMs) / 1000;
    const needed = Math.max(requestsToSee(plan, traffic, share, size), LEAST_SECONDS * perSecond);
    if (needed <= inHold) return failures + (needed + REACTION_S * perSecond) * rate;
    failures += inHold * rate;
  }
  return failures;
}
