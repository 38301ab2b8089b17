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
  readonly holdMs: number;
  /** Canary requests in the hold. */
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

/** Spread of latencies that quantile rules assume: the standard deviation of their logarithm. */
export const LOG_SPREAD = 0.5;
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

export function forecast(plan: Plan, traffic: ServiceTraffic): Forecast {
  const steps = plan.steps.map((step, index) => forecastStep(plan, step, index, traffic));
  const sum = (of: (step: StepForecast) => number): number =>
    steps.reduce((total, step) => total + of(step), 0);
  const early = plan.advance !== 'elapsed';
  return {
    steps,
    durationMs: {
      best: sum(({ step, holdMs }) => (early ? (plan.steps[step]?.minHoldMs ?? holdMs) : holdMs)),
      likely: sum(({ step, holdMs, provenS }) => {
        if (!early || provenS === null) return holdMs;
        return Math.min(holdMs, Math.max(plan.steps[step]?.minHoldMs ?? 0, provenS * 1000));
      }),
      worst: sum(({ holdMs }) => holdMs),
    },
  };
}

function forecastStep(plan: Plan, step: Step, index: number, traffic: ServiceTraffic): StepForecast {
  const share = step.weightBp / FULL_BP;
  const perSecond = share * traffic.requestsPerSecond;
  const requests = (perSecond * step.holdMs) / 1000;
  const { shares } = budgetOf(plan);
  const sights = plan.abort.flatMap((rule, at) => {
    const see = isForeseen(rule) ? eyeOf(rule, share, traffic.errorRate) : null;
    return see === null
      ? []
      : [sightOf(rule, at, see, plan.falseAbort * (shares[at] ?? 1), perSecond, requests, traffic.errorRate)];
  });
  const proofs = plan.abort.map((rule) =>
    isForeseen(rule) ? reliefOf(rule, share, traffic.errorRate) : null,
  );
  return {
    step: index,
    weightBp: step.weightBp,
    holdMs: step.holdMs,
    requests,
    sights,
    provenS: proofSeconds(proofs, plan.steps.length, perSecond),
  };
}

/** Canary requests until a comparison of error rates proves a regression of `size`, median, in the plan's budget. */
export function requestsToSee(plan: Plan, traffic: ServiceTraffic, share: number, size: number): number {
  const goal = Math.log(1 / (plan.falseAbort * Math.min(1, ...budgetOf(plan).shares))) + MIXTURE_COST;
  return passage(ratioDrift(size, share, traffic.errorRate), goal, 0);
}

/** Mean and variance of the log-wealth that one canary request wins. */
interface Drift {
  readonly mean: number;
  readonly variance: number;
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
    case 'promql':
      return null;
  }
}

/** Share of requests beyond the baseline's quantile when all latencies are `factor` times as long. */
function slowShare(quantile: number, factor: number): number {
  return 1 - normalCdf(normalQuantile(quantile) - Math.log(factor) / LOG_SPREAD);
}

/** A comparison of rates, bet on at the true size; see `betRatio`. */
function ratioDrift(size: number, share: number, rate: number): Drift {
  const others = (1 - share) / share;
  const expected = share;
  const raised = (size * share) / (size * share + 1 - share);
  const up = Math.log(raised / expected);
  const down = Math.log((1 - raised) / (1 - expected));
  const bad = Math.min(1, size * rate);
  return { mean: bad * up + rate * others * down, variance: bad * up ** 2 + rate * others * down ** 2 };
}

/** A fixed rate, bet on at the true size; see `betRate`. */
function rateDrift(size: number, limit: number): Drift {
  const rate = Math.min(0.999, size * limit);
  const up = Math.log(rate / limit);
  const down = Math.log((1 - rate) / (1 - limit));
  return { mean: rate * up + (1 - rate) * down, variance: rate * up ** 2 + (1 - rate) * down ** 2 };
}

/** Requests until the log-wealth has passed `goal` with a probability given by its normal score. */
function passage({ mean, variance }: Drift, goal: number, z: number): number {
  if (mean <= 0) return Number.POSITIVE_INFINITY;
  const root = (z * Math.sqrt(variance) + Math.sqrt(z ** 2 * variance + 4 * mean * goal)) / (2 * mean);
  return root ** 2;
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
    case 'promql':
      return null;
  }
}

const FEW = 0.001;

function fewErrors(): Drift {
  return lowRate(FEW, 0);
}

function reliefDrift(factor: number, truth: number, share: number, rate: number): Drift {
  const expected = (factor * share) / (factor * share + 1 - share);
  const lowered = (factor * truth * share) / (factor * truth * share + 1 - share);
  const mean =
    factor * truth * rate * Math.log(lowered / expected) +
    (rate * (1 - share) * Math.log((1 - lowered) / (1 - expected))) / share;
  return { mean, variance: 0 };
}

function lowRate(limit: number, rate: number): Drift {
  const truth = Math.max(rate, limit / 20);
  const mean = truth * Math.log(truth / limit) + (1 - truth) * Math.log((1 - truth) / (1 - limit));
  return { mean: truth >= limit ? 0 : mean, variance: 0 };
}

/** All rules have to prove; the slowest one decides. */
function proofSeconds(drifts: readonly (Drift | null)[], steps: number, perSecond: number): number | null {
  const proving = drifts.filter((drift) => drift !== null);
  if (proving.length === 0 || perSecond === 0) return null;
  const goal = Math.log(steps / FALSE_ADVANCE) + MIXTURE_COST;
  const requests = Math.max(...proving.map((drift) => passage(drift, goal, 0)));
  return Number.isFinite(requests) ? requests / perSecond : null;
}

/** Abramowitz and Stegun 7.1.26, within 1.5e-7. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.3275911 * (Math.abs(x) / Math.SQRT2));
  const series =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const erf = 1 - series * Math.exp(-(x ** 2) / 2);
  return x >= 0 ? (1 + erf) / 2 : (1 - erf) / 2;
}

/** By bisection; exact enough for a forecast. */
function normalQuantile(p: number): number {
  let low = -8;
  let high = 8;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return high;
}
