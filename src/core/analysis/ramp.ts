/**
 * The ramp of `steps: auto`: each weight is held until a higher one is affordable, that is until the dearest bad release
 * that would not have been seen by then is expected to stay within the budget. A function of what has been measured,
 * and nothing else: the same inputs give the same ramp.
 * @module
 */

import type { AutoBounds, Plan } from '../domain/plan.ts';
import type { Cost, Ramp, RampInputs, RampObstacle, RampStep } from '../domain/ramp.ts';
import type { Rule } from '../domain/rule.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { BadReleases, MEAN, NINE_OF_TEN, type Seen } from './bad-release.ts';
import { isForeseen, secondsToProve } from './forecast.ts';

/** Where a rollout file says nothing. */
export const DEFAULT_BOUNDS = {
  fromBp: 100,
  maxFactor: 3,
  minHoldMs: 60_000,
  maxHoldMs: 1_800_000,
  maxDurationMs: 21_600_000,
} as const satisfies Partial<AutoBounds>;
/** A release at the limit of a rule is over it half of the time only, and aborted late: what is guarded against is beyond. */
const BEYOND_LIMIT = 1.25;
/** Of a plan that names no factor. */
const USUAL_FACTOR = 2;

/** Rules that a budget of failed requests goes by: comparisons of error rates that bet. */
export function isComparison(rule: Rule): boolean {
  return rule.condition.kind === 'rate-ratio' && rule.source === 'telemetry' && isForeseen(rule);
}

/** The smallest regression that counts as bad where nothing else is said. */
export function defaultRegression(rules: readonly Rule[]): number {
  const factors = rules
    .filter(isComparison)
    .flatMap(({ condition }) => ('factor' in condition ? condition.factor : []));
  return BEYOND_LIMIT * (factors.length > 0 ? Math.min(...factors) : USUAL_FACTOR);
}

/** Weights that a ramp stops at: 1, 2, 3, 5 and 7 of each power of ten. */
const NICE_BP = [1, 10, 100, 1_000]
  .flatMap((power) => [1, 2, 3, 5, 7].map((digit) => digit * power))
  .concat(FULL_BP);

/** Weights that may follow, ascending; one at least below 100 %, as `maxFactor` is 2 or more. */
export function nextWeights({ maxFactor }: AutoBounds, weightBp: number): readonly number[] {
  return NICE_BP.filter((next) => next > weightBp && next <= maxFactor * weightBp);
}

/** The most steps that a ramp from `fromBp` can have. */
export function longestRamp({ fromBp }: AutoBounds): readonly number[] {
  return [fromBp, ...NICE_BP.filter((weightBp) => weightBp > fromBp)];
}

export function rampFrom(plan: Plan, bounds: AutoBounds, inputs: RampInputs): Ramp {
  const releases = new BadReleases(plan, inputs.traffic, bounds.regression);
  const steps: RampStep[] = [];
  let at = positionOf(releases, inputs);
  let worst: Cost = { failures: 0, rate: 0 };
  let obstacle: RampObstacle | null = null;
  let { proven } = inputs;
  while (at.weightBp < FULL_BP) {
    const here = releases.worstAt(at.weightBp, at.seen, at.past);
    if (here.failures > worst.failures) worst = here;
    const move = nextMove(plan, bounds, releases, at);
    obstacle ??= obstacleAt(bounds, at, here, move, proven);
    const proofMs = move.weightBp === FULL_BP && !proven ? move.proofMs : 0;
    const neededMs = Math.max(at.heldMs + move.waitMs, proofMs);
    // Beyond a bound nothing is promised: the ramp is told as if it were the slowest that keeps the others.
    const holdMs = Math.max(at.heldMs, Math.min(neededMs, bounds.maxHoldMs));
    steps.push({ weightBp: at.weightBp, holdMs });
    at = { ...after(releases, at, holdMs - at.heldMs), weightBp: move.weightBp, heldMs: 0 };
    proven = false;
  }
  return { steps: [...steps, { weightBp: FULL_BP, holdMs: 0 }], worst, obstacle };
}

/** Where a ramp is, and what has been shown on the way. */
interface Position {
  readonly weightBp: number;
  readonly heldMs: number;
  /** Canary requests so far. */
  readonly past: number;
  readonly seen: Seen;
  /** The same, for nine chances of ten. */
  readonly surely: Seen;
}

function positionOf(releases: BadReleases, { exposures, heldMs }: RampInputs): Position {
  return {
    weightBp: exposures.at(-1)?.weightBp ?? FULL_BP,
    heldMs,
    past: exposures.reduce((sum, { requests }) => sum + requests, 0),
    seen: releases.seen(exposures, MEAN),
    surely: releases.seen(exposures, NINE_OF_TEN),
  };
}

function after(releases: BadReleases, at: Position, ms: number): Position {
  const { weightBp } = at;
  const requests = (releases.perSecond(weightBp) * ms) / 1000;
  return {
    ...at,
    heldMs: at.heldMs + ms,
    past: at.past + requests,
    seen: releases.seenAfter(at.seen, weightBp, requests, MEAN),
    surely: releases.seenAfter(at.surely, weightBp, requests, NINE_OF_TEN),
  };
}

interface Move {
  readonly weightBp: number;
  /** From now on; infinite: never at this traffic. */
  readonly waitMs: number;
  /** Of a move to 100 %: from the beginning of the hold until a healthy canary has proven itself, as expected. */
  readonly proofMs: number;
}

/** The first moment at which a higher weight is affordable, and the highest that is then. */
function nextMove(plan: Plan, bounds: AutoBounds, releases: BadReleases, at: Position): Move {
  const next = nextWeights(bounds, at.weightBp);
  const move = (weightBp: number, waitMs: number): Move => ({
    weightBp,
    waitMs,
    proofMs: weightBp === FULL_BP ? proofTimeMs(plan, releases, at.weightBp) : 0,
  });
  for (const waitMs of momentsOf(bounds, releases, at)) {
    const then = after(releases, at, waitMs);
    const weightBp = next.findLast((each) => isAffordable(bounds, releases, then, each));
    if (weightBp !== undefined) return move(weightBp, waitMs);
  }
  return move(next[0] ?? FULL_BP, Number.POSITIVE_INFINITY);
}

/** What becomes affordable does so at the shortest hold, or when another size of release would have been seen. */
function momentsOf({ minHoldMs }: AutoBounds, releases: BadReleases, at: Position): readonly number[] {
  const leastMs = Math.max(0, minHoldMs - at.heldMs);
  const perMs = releases.perSecond(at.weightBp) / 1000;
  if (perMs === 0) return [leastMs];
  const momentsBy = (seen: Seen, z: number): readonly number[] => {
    const needed = releases.requestsToSee(at.weightBp, z);
    return seen.map((share, size) => Math.ceil(((1 - share) * (needed[size] as number)) / perMs));
  };
  const moments = [...momentsBy(at.seen, MEAN), ...momentsBy(at.surely, NINE_OF_TEN)];
  const later = moments.filter((ms) => ms > leastMs && Number.isFinite(ms)).sort((a, b) => a - b);
  return [leastMs, ...later];
}

function isAffordable(
  { budget }: AutoBounds,
  releases: BadReleases,
  { seen, surely, past }: Position,
  weightBp: number,
): boolean {
  // At 100 % nothing is left to compare with: what was not seen by then costs for ever.
  if (weightBp === FULL_BP) return (surely[0] ?? 0) >= 1;
  return releases.worstAt(weightBp, seen, past).failures <= budget;
}

/** Of the comparisons of error rates: a budget of failures is about nothing else. */
function proofTimeMs(plan: Plan, { traffic }: BadReleases, weightBp: number): number {
  const comparing = plan.abort.filter(isComparison);
  const seconds = secondsToProve({ ...plan, abort: comparing }, traffic, { weightBp });
  return seconds === null ? Number.POSITIVE_INFINITY : Math.ceil(seconds * 1000);
}

function obstacleAt(
  { budget, maxHoldMs }: AutoBounds,
  { weightBp: atBp, heldMs }: Position,
  here: Cost,
  { weightBp, waitMs, proofMs }: Move,
  proven: boolean,
): RampObstacle | null {
  if (here.failures > budget) return { kind: 'budget', atBp };
  if (waitMs > 0 && heldMs + waitMs > maxHoldMs) {
    return { kind: 'slow', atBp, nextBp: weightBp, waitMs: Number.isFinite(waitMs) ? waitMs : null };
  }
  if (weightBp < FULL_BP || proven) return null;
  if (heldMs < proofMs && proofMs > maxHoldMs) {
    const leftMs = proofMs - heldMs;
    return { kind: 'slow', atBp, nextBp: weightBp, waitMs: Number.isFinite(leftMs) ? leftMs : null };
  }
  return waitMs === 0 && heldMs >= proofMs ? { kind: 'proof', atBp } : null;
}

/** Proposals are not about anybody's patience: a step may take this long, and the whole ramp any time. */
const PROPOSED_MAX_HOLD_MS = 7_200_000;

export interface ProposedRamp extends Ramp {
  readonly durationMs: number;
}

/** The fastest ramp within a budget of failed requests, from the weight that serves it best; null: there is none. */
export function fastestRamp(plan: Plan, traffic: ServiceTraffic, budget: number): ProposedRamp | null {
  const bounds = plan.auto ?? {
    ...DEFAULT_BOUNDS,
    maxHoldMs: PROPOSED_MAX_HOLD_MS,
    regression: defaultRegression(plan.abort),
  };
  const starts = plan.auto ? [plan.auto.fromBp] : NICE_BP.filter((weightBp) => weightBp < FULL_BP);
  let best: ProposedRamp | null = null;
  for (const fromBp of starts) {
    const exposures = [{ weightBp: fromBp, requests: 0 }];
    const ramp = rampFrom(
      plan,
      { ...bounds, fromBp, budget },
      { traffic, exposures, heldMs: 0, proven: false },
    );
    if (ramp.obstacle !== null) continue;
    const durationMs = ramp.steps.reduce((sum, { holdMs }) => sum + holdMs, 0);
    if (best === null || durationMs < best.durationMs) best = { ...ramp, durationMs };
  }
  return best;
}
