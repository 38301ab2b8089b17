/**
 * What a plan will be able to see: requests and time until a regression is proven, what it costs until then, and how
 * long a healthy release takes. First-passage times of the judge's own bets under steady traffic; an estimate, within
 * a quarter or so. Knows no clock and no real traffic.
 * @module
 */

import type { Plan, Step } from '../domain/plan.ts';
import type { Rule } from '../domain/rule.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP } from '../domain/weight.ts';
import { budgetOf, FALSE_ADVANCE } from './budget.ts';
import {
  coinDrift,
  type Drift,
  lowRate,
  passage,
  rateDrift,
  ratioDrift,
  reliefDrift,
  slower,
  slowShare,
} from './drift.ts';
import { ASKED_AGAIN } from './mirrored.ts';
import { bets, betsOnCounters } from './rule-bets.ts';
import { slowdownAllowed } from './rule-counts.ts';

export interface Sight {
  /** Index into the plan's rules. */
  readonly rule: number;
  /** The size that is looked for, as a multiple: of the baseline's rate or quantile, or of the fixed limit's. */
  readonly size: number;
  /** Canary requests until it is proven: as often before as after, and nine times of ten. */
  readonly requests: { readonly median: number; readonly p90: number };
  readonly seconds: { readonly median: number; readonly p90: number };
  /** Failed canary requests until then, median; null where the rule is about latency. */
  readonly failures: number | null;
  /** The smallest size that the step proves within its hold, as often as not; null: none up to 1000x. */
  readonly smallest: number | null;
}

export interface StepForecast {
  readonly step: number;
  readonly weightBp: number;
  /** Left out: the step does not mirror. */
  readonly mirrorBp?: number;
  readonly holdMs: number;
  /** Canary requests in the hold, or answers of its mirror. */
  readonly requests: number;
  /** One per rule that bets and applies at this weight. */
  readonly sights: readonly Sight[];
  /** Seconds until a healthy canary is proven; null where nothing proves. */
  readonly provenS: number | null;
}

export interface Forecast {
  readonly steps: readonly StepForecast[];
  /** Of a healthy release, milliseconds, without gates: with every proof at once, as expected, with every hold in full. */
  readonly durationMs: { readonly best: number; readonly likely: number; readonly worst: number };
}

/** What the mixture over effect sizes and starting times costs, in log-wealth. */
const MIXTURE_COST = 1.5;
const Z90 = 1.2816;
/** Bets are capped per second, so that this many seconds pass even at an obvious break. */
export const LEAST_SECONDS = 3;
/** The same for counters: three intervals at the usual 15 s, and one until the last is complete. */
const LEAST_SECONDS_SCRAPED = 60;
const LARGEST = 1000;
/** Of a fixed limit: how far beyond it a regression is looked for. */
const BEYOND_LIMIT = 2;

/** `followed`: the steps of the run where they are not the plan's own, by which the judge goes all the same. */
export function forecast(
  plan: Plan,
  traffic: ServiceTraffic,
  followed: readonly Step[] = plan.steps,
): Forecast {
  const steps = followed.map((step, index) => forecastStep(plan, step, index, traffic));
  const sum = (of: (step: StepForecast) => number): number =>
    steps.reduce((total, step) => total + of(step), 0);
  const early = plan.advance !== 'elapsed';
  return {
    steps,
    durationMs: {
      best: sum(({ step, holdMs }) => (early ? (followed[step]?.minHoldMs ?? holdMs) : holdMs)),
      likely: sum(({ step, holdMs, provenS }) => {
        if (!early || provenS === null) return holdMs;
        return Math.min(holdMs, Math.max(followed[step]?.minHoldMs ?? 0, provenS * 1000));
      }),
      worst: sum(({ holdMs }) => holdMs),
    },
  };
}

/** Canary requests in a second of the step; of a mirror its answers, if all of its requests can be mirrored. */
export function perSecondAt(
  { weightBp, mirrorBp }: Pick<Step, 'weightBp' | 'mirrorBp'>,
  { requestsPerSecond }: ServiceTraffic,
): number {
  const share = mirrorBp === undefined ? weightBp : mirrorBp * (1 - ASKED_AGAIN);
  return (share / FULL_BP) * requestsPerSecond;
}

/** Rules about mirrored answers are about steps that mirror, and no others are. */
export function isAbout({ condition }: Rule, { mirrorBp }: Pick<Step, 'mirrorBp'>): boolean {
  return condition.kind === 'promql' || (condition.kind === 'differs') === (mirrorBp !== undefined);
}

function forecastStep(plan: Plan, step: Step, index: number, traffic: ServiceTraffic): StepForecast {
  const { weightBp, mirrorBp } = step;
  const share = weightBp / FULL_BP;
  const perSecond = perSecondAt(step, traffic);
  const requests = (perSecond * step.holdMs) / 1000;
  const { shares } = budgetOf(plan);
  const looks = (rule: Rule): boolean => isForeseen(rule) && isAbout(rule, step);
  const sights = plan.abort.flatMap((rule, at) => {
    const see = looks(rule) ? eyeOf(rule, share, traffic.errorRate) : null;
    return see === null
      ? []
      : [sightOf(rule, at, see, plan.falseAbort * (shares[at] ?? 1), perSecond, requests, traffic.errorRate)];
  });
  return {
    step: index,
    weightBp,
    ...(mirrorBp !== undefined && { mirrorBp }),
    holdMs: step.holdMs,
    requests,
    sights,
    provenS: secondsToProve(plan, traffic, step),
  };
}

/** Log-wealth that a comparison of error rates has to win for an abort, in the plan's budget. */
export function goalOf(plan: Plan): number {
  return Math.log(1 / (plan.falseAbort * Math.min(1, ...budgetOf(plan).shares))) + MIXTURE_COST;
}

/**
 * Canary requests until a comparison of error rates has won `goal` against a canary that fails `size` times as often;
 * `z` 0: median, 1.28: nine times of ten.
 */
export function requestsToSee(
  goal: number,
  errorRate: number,
  share: number,
  size: number,
  z: number,
): number {
  return passage(ratioDrift(size, share, errorRate), goal, z);
}

/** Whether traffic and errors of the service say what the rule will see: of a user's own counters they don't. */
export function isForeseen(rule: Rule): boolean {
  return bets(rule) && rule.counters === undefined;
}

/** The drift at a true regression of some size. */
type Eye = (size: number) => Drift;

/** Null: the rule does not bet at this share. */
function eyeOf({ condition }: Rule, share: number, errorRate: number): Eye | null {
  switch (condition.kind) {
    case 'rate-ratio':
      return share < 1 && errorRate > 0 ? (size) => ratioDrift(size, share, errorRate) : null;
    case 'quantile-ratio': {
      if (share === 1) return null;
      const slow = 1 - condition.quantile;
      const allowance = slowdownAllowed(condition.factor);
      return (size) => {
        const beyond = slowShare(condition.quantile, size / allowance);
        return ratioDrift(Math.max(1.001, beyond / slow), share, slow);
      };
    }
    case 'rate-limit':
      return (size) => rateDrift(size, condition.limit);
    case 'quantile-limit':
      return (size) => rateDrift(size, 1 - condition.quantile);
    case 'differs':
      return (size) => slower(rateDrift(size, condition.limit), coinDrift(size * condition.limit));
    case 'promql':
      return null;
  }
}

function sightOf(
  rule: Rule,
  at: number,
  see: Eye,
  alpha: number,
  perSecond: number,
  holdRequests: number,
  errorRate: number,
): Sight {
  const goal = Math.log(1 / alpha) + MIXTURE_COST;
  const size = namedSize(rule);
  const least = (betsOnCounters(rule) ? LEAST_SECONDS_SCRAPED : LEAST_SECONDS) * perSecond;
  const median = Math.max(least, passage(see(size), goal, 0));
  const p90 = Math.max(least, passage(see(size), goal, Z90));
  return {
    rule: at,
    size,
    requests: { median, p90 },
    seconds: { median: median / perSecond, p90: p90 / perSecond },
    failures: failuresOf(rule, size, median, errorRate),
    smallest: smallestSeen(see, goal, Math.max(0, holdRequests - least)),
  };
}

/** What the rule says is too much; of a fixed limit, twice as much. */
function namedSize({ condition }: Rule): number {
  return 'factor' in condition ? condition.factor : BEYOND_LIMIT;
}

function failuresOf({ condition }: Rule, size: number, requests: number, errorRate: number): number | null {
  if (condition.kind === 'rate-ratio') return requests * Math.min(1, size * errorRate);
  return condition.kind === 'rate-limit' ? requests * Math.min(1, size * condition.limit) : null;
}

/** By bisection on a logarithmic scale: larger regressions are seen sooner. */
function smallestSeen(see: Eye, goal: number, requests: number): number | null {
  if (passage(see(LARGEST), goal, 0) > requests) return null;
  let low = 1;
  let high = LARGEST;
  for (let i = 0; i < 40; i += 1) {
    const middle = Math.sqrt(low * high);
    if (passage(see(middle), goal, 0) > requests) low = middle;
    else high = middle;
  }
  return high;
}

/** The drift of the bets on a canary that equals the baseline; null: nothing of the rule proves at this share. */
function reliefOf({ condition }: Rule, share: number, errorRate: number): Drift | null {
  switch (condition.kind) {
    case 'rate-ratio':
      if (share === 1) return null;
      // Half the factor that is to be refuted is the truth; with few errors the fixed rate proves first.
      return errorRate > 0 ? reliefDrift(2, 0.5, share, errorRate) : fewErrors();
    case 'quantile-ratio': {
      if (share === 1) return null;
      const slow = 1 - condition.quantile;
      const truth = slowShare(condition.quantile, 1 / condition.factor) / slow;
      return reliefDrift(1, truth, share, slow);
    }
    case 'rate-limit':
      return lowRate(condition.limit, errorRate);
    case 'quantile-limit':
      return lowRate(1 - condition.quantile, (1 - condition.quantile) / 4);
    case 'differs':
      return lowRate(condition.limit, 0);
    case 'promql':
      return null;
  }
}

const FEW = 0.001;

function fewErrors(): Drift {
  return lowRate(FEW, 0);
}

/** Seconds until every rule that looks has proven that a healthy canary keeps it, the slowest one deciding; null: none proves. */
export function secondsToProve(
  plan: Plan,
  traffic: ServiceTraffic,
  step: Pick<Step, 'weightBp' | 'mirrorBp'>,
): number | null {
  const share = step.weightBp / FULL_BP;
  const perSecond = perSecondAt(step, traffic);
  const looking = plan.abort.filter((rule) => isForeseen(rule) && isAbout(rule, step));
  const proving = looking.flatMap((rule) => reliefOf(rule, share, traffic.errorRate) ?? []);
  if (proving.length === 0 || perSecond === 0) return null;
  const goal = Math.log(plan.steps.length / FALSE_ADVANCE) + MIXTURE_COST;
  const requests = Math.max(...proving.map((drift) => passage(drift, goal, 0)));
  return Number.isFinite(requests) ? requests / perSecond : null;
}
