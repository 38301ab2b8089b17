/**
 * `steps: auto` in the state of a run: the steps taken so far and the ones proposed next, decided anew at every look
 * from what the judged seconds have shown. Owns what is remembered for it; `analysis/ramp.ts` is the arithmetic.
 * @module
 */

import { isComparison, rampFrom } from '../analysis/ramp.ts';
import { costText, obstacleText } from '../analysis/ramp-text.ts';
import {
  addTally,
  meterOf,
  NO_TRAFFIC,
  type Tally,
  type TrafficMeter,
  trafficOf,
} from '../analysis/traffic-meter.ts';
import type { AutoBounds, Plan, Step } from '../domain/plan.ts';
import type { Exposure, RampInputs, RampRecord, RampStep } from '../domain/ramp.ts';
import type { Check } from '../domain/rule.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';

/** What a run with `steps: auto` remembers of its ramp. */
export interface RampState {
  /** Taken so far and proposed next; the last one is 100 %. */
  readonly steps: readonly Step[];
  readonly meter: TrafficMeter;
  /** By step taken: its canary requests that were judged. */
  readonly exposures: readonly Exposure[];
  /** The newest decision and what it was made from; null while there is too little traffic to tell. */
  readonly latest: RampRecord | null;
  /** Why the next step is not taken, one sentence without its end; null: nothing but time is in its way. */
  readonly obstacle: string | null;
  /**
   * Time in which the run held and was allowed to go on, milliseconds from tick to tick. Left out in states of older
   * operators.
   */
  readonly takenMs?: number;
  /** A person has been asked because the run takes longer than its bounds allow. */
  readonly overtime: boolean;
}

/** The traffic before a run, while the baseline served all of it. */
export interface MeasuredBefore extends ServiceTraffic {
  readonly overMs: number;
}

/** What was seen since the look before. */
export interface Seen {
  /** Index of the step under way, and its time with evidence so far. */
  readonly step: number;
  readonly heldMs: number;
  readonly tally: Tally;
  readonly checks: readonly Check[];
}

/** The steps of a plan before it has been started; with `steps: auto`, the ramp at the traffic that the file states. */
export function declaredSteps(plan: Plan): readonly Step[] {
  if (!plan.auto) return plan.steps;
  return openRamp(plan, plan.auto, plan.traffic ? { ...plan.traffic, overMs: 300_000 } : null).steps;
}

export function openRamp(plan: Plan, bounds: AutoBounds, measured: MeasuredBefore | null): RampState {
  const empty: RampState = {
    steps: [],
    meter: measured === null ? NO_TRAFFIC : meterOf(measured, measured.overMs),
    exposures: [{ weightBp: bounds.fromBp, requests: 0 }],
    latest: null,
    obstacle: null,
    takenMs: 0,
    overtime: false,
  };
  return propose(plan, bounds, empty, { step: 0, heldMs: 0, checks: [] });
}

/** Counts what was seen, and decides the rest of the ramp again; a look without a new second changes nothing. */
export function lookAhead(plan: Plan, bounds: AutoBounds, before: RampState, seen: Seen): RampState {
  if (seen.tally.seconds === 0) return before;
  const meter = addTally(before.meter, seen.tally);
  const exposures = before.exposures.map((exposure, index) =>
    index === seen.step ? { ...exposure, requests: exposure.requests + seen.tally.canary } : exposure,
  );
  return propose(plan, bounds, { ...before, meter, exposures }, seen);
}

/** The time taken so far; of a state that does not say, its time with evidence. `heldMs`: of the step under way. */
export function takenMs(ramp: RampState, step: number, heldMs: number): number {
  return ramp.takenMs ?? ramp.steps.slice(0, step).reduce((sum, { holdMs }) => sum + holdMs, heldMs);
}

/** After the step at `step` has been held for `heldMs`: the next one is the one under way. */
export function enterNext(ramp: RampState, step: number, heldMs: number): RampState {
  const steps = ramp.steps.map((each, index) => (index === step ? { ...each, holdMs: heldMs } : each));
  const weightBp = steps[step + 1]?.weightBp ?? FULL_BP;
  return { ...ramp, steps, exposures: [...ramp.exposures, { weightBp, requests: 0 }], obstacle: null };
}

function propose(
  plan: Plan,
  bounds: AutoBounds,
  before: RampState,
  { step, heldMs, checks }: Omit<Seen, 'tally'>,
): RampState {
  const current = before.exposures[step];
  if (current === undefined || current.weightBp === FULL_BP) return before;
  const traffic = trafficOf(before.meter);
  const proven = keepsErrors(plan, checks);
  const inputs: RampInputs = {
    traffic: traffic ?? { requestsPerSecond: 0, errorRate: 0 },
    exposures: before.exposures,
    heldMs,
    proven,
  };
  const ramp = rampFrom(plan, bounds, inputs);
  const taken = before.steps.slice(0, step);
  const inTheWay = ramp.obstacle?.atBp === current.weightBp ? ramp.obstacle : null;
  return {
    ...before,
    steps: [...taken, ...ramp.steps.map((each) => toStep(plan, each))],
    latest: traffic === null ? null : { inputs, ramp },
    obstacle: traffic === null ? TOO_QUIET : inTheWay && obstacleText(bounds, inputs.traffic, inTheWay, ramp),
  };
}

/** What the next weight is expected to cost at worst, to end the sentence of a transition with. */
export function describeCost({ latest }: RampState): string {
  return latest && latest.ramp.worst.failures > 0 ? `; ${costText(latest.ramp.worst)}` : '';
}

const TOO_QUIET = 'the baseline had too few requests lately to tell what a bad release would cost';

/** Whether the comparisons of error rates, which a budget of failures is about, have proven that the canary keeps them. */
function keepsErrors(plan: Plan, checks: readonly Check[]): boolean {
  const comparing = checks.filter(({ rule }) => {
    const of = plan.abort[rule];
    return of !== undefined && isComparison(of);
  });
  const proofs = comparing.flatMap(({ proof }) => proof ?? []);
  return proofs.length > 0 && proofs.every(({ fine, fineNeeded }) => fine >= fineNeeded);
}

export function toStep(plan: Plan, { weightBp, holdMs }: RampStep): Step {
  // What the rules need to be judged at all is the same at every weight.
  const requests = weightBp === FULL_BP ? 0 : (plan.steps[0]?.requests ?? 0);
  return { weightBp, holdMs, minHoldMs: holdMs, requests, gate: null };
}
