/**
 * What a plan would do and see with some traffic, also one that decides its steps while it runs. Joins the forecast and
 * the ramp; computes nothing of its own.
 * @module
 */

import { type Forecast, forecast } from '../analysis/forecast.ts';
import { rampFrom } from '../analysis/ramp.ts';
import type { Plan } from '../domain/plan.ts';
import type { Ramp } from '../domain/ramp.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { toStep } from './auto-ramp.ts';

export interface PlanForecast {
  /** The plan with the steps that it would follow. */
  readonly followed: Plan;
  readonly result: Forecast;
  /** Of `steps: auto`; null where the file lists its steps. */
  readonly auto: Ramp | null;
}

export function forecastPlan(plan: Plan, traffic: ServiceTraffic): PlanForecast {
  if (!plan.auto) return { followed: plan, result: forecast(plan, traffic), auto: null };
  const { fromBp, minHoldMs, maxDurationMs } = plan.auto;
  const exposures = [{ weightBp: fromBp, requests: 0 }];
  const auto = rampFrom(plan, plan.auto, { traffic, exposures, heldMs: 0, proven: false });
  const followed = { ...plan, steps: auto.steps.map((step) => toStep(plan, step)) };
  const { steps } = forecast(plan, traffic, followed.steps);
  const likely = auto.steps.reduce((sum, { holdMs }) => sum + holdMs, 0);
  const holds = auto.steps.filter(({ weightBp }) => weightBp < FULL_BP).length;
  // Weights that traffic makes affordable sooner shorten it, down to the shortest holds; its end is a bound.
  const durationMs = { best: holds * minHoldMs, likely, worst: Math.max(likely, maxDurationMs) };
  return { followed, result: { steps, durationMs }, auto };
}
