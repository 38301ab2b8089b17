/**
 * What one canary request adds to a bet's log-wealth, on average and in spread, and how many requests that makes until
 * a goal is passed. Mathematics of steady traffic; knows no plan.
 * @module
 */

import { ASKED_AGAIN } from './mirrored.ts';

/** Spread of latencies that quantile rules assume: the standard deviation of their logarithm. */
export const LOG_SPREAD = 0.5;

/** Mean and variance of the log-wealth that one canary request wins. */
export interface Drift {
  readonly mean: number;
  readonly variance: number;
}

/** Share of requests beyond the baseline's quantile when all latencies are `factor` times as long. */
export function slowShare(quantile: number, factor: number): number {
  return 1 - normalCdf(normalQuantile(quantile) - Math.log(factor) / LOG_SPREAD);
}

/** A comparison of rates, bet on at the true size; see `betRatio`. */
export function ratioDrift(size: number, share: number, rate: number): Drift {
  const others = (1 - share) / share;
  const expected = share;
  const raised = (size * share) / (size * share + 1 - share);
  const up = Math.log(raised / expected);
  const down = Math.log((1 - raised) / (1 - expected));
  const bad = Math.min(1, size * rate);
  return { mean: bad * up + rate * others * down, variance: bad * up ** 2 + rate * others * down ** 2 };
}

/** A fixed rate, bet on at the true size; see `betRate`. */
export function rateDrift(size: number, limit: number): Drift {
  const rate = Math.min(0.999, size * limit);
  const up = Math.log(rate / limit);
  const down = Math.log((1 - rate) / (1 - limit));
  return { mean: rate * up + (1 - rate) * down, variance: rate * up ** 2 + (1 - rate) * down ** 2 };
}

/** Differing answers all of which are the canary's, as the coin has it; see `mirrored.ts`. */
export function coinDrift(rate: number): Drift {
  const differing = Math.min(1, rate);
  const gain = Math.log(1 / (1 - ASKED_AGAIN));
  return { mean: differing * gain, variance: differing * gain ** 2 };
}

/** Of two bets that both have to win. */
export function slower(one: Drift, other: Drift): Drift {
  return one.mean < other.mean ? one : other;
}

/** Requests until the log-wealth has passed `goal` with a probability given by its normal score. */
export function passage({ mean, variance }: Drift, goal: number, z: number): number {
  if (mean <= 0) return Number.POSITIVE_INFINITY;
  const root = (z * Math.sqrt(variance) + Math.sqrt(z ** 2 * variance + 4 * mean * goal)) / (2 * mean);
  return root ** 2;
}

export function reliefDrift(factor: number, truth: number, share: number, rate: number): Drift {
  const expected = (factor * share) / (factor * share + 1 - share);
  const lowered = (factor * truth * share) / (factor * truth * share + 1 - share);
  const mean =
    factor * truth * rate * Math.log(lowered / expected) +
    (rate * (1 - share) * Math.log((1 - lowered) / (1 - expected))) / share;
  return { mean, variance: 0 };
}

export function lowRate(limit: number, rate: number): Drift {
  const truth = Math.max(rate, limit / 20);
  const mean = truth * Math.log(truth / limit) + (1 - truth) * Math.log((1 - truth) / (1 - limit));
  return { mean: truth >= limit ? 0 : mean, variance: 0 };
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
