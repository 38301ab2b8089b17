/**
 * Flagger: the threshold check loop of one canary. Failed checks add up over the whole rollout and are compared before
 * a tick's own checks; knows nothing of where a metric comes from.
 * @module
 */

const MIN_INTERVAL_S = 10;

export class CheckLoop {
  #threshold;
  #failedChecks = 0;
  #intervalS;
  nextAtS;
  phase = 'Progressing';

  constructor(startS, { intervalS = 60, threshold = 1 } = {}) {
    this.#intervalS = Math.max(MIN_INTERVAL_S, intervalS);
    this.#threshold = threshold <= 0 ? 1 : threshold;
    // The first tick routes the first traffic to the canary; nothing is measured before the next one.
    this.nextAtS = startS + this.#intervalS;
  }

  /**
   * One tick: `metrics` answers whether each metric passes, in order; one that fails holds the weight and leaves the
   * others unasked. Returns what the tick did.
   */
  tick(nowS, metrics) {
    if (this.phase === 'Failed') return 'none';
    this.nextAtS = nowS + this.#intervalS;
    if (this.#failedChecks >= this.#threshold) {
      this.phase = 'Failed';
      return 'rollback';
    }
    if (metrics.every((passes) => passes())) return 'advance';
    this.#failedChecks += 1;
    return 'hold';
  }
}

/** A metric within its range; empty and NaN fail. */
export function inRange(value, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }) {
  return value !== null && !Number.isNaN(value) && value >= min && value <= max;
}

/** The next weight: `100 − weight` where a list of weights does not know the present one. */
export function nextStep(weight, { stepWeight, stepWeights }) {
  if (stepWeights === undefined) return stepWeight;
  if (weight === 0) return stepWeights[0];
  const at = stepWeights.indexOf(weight);
  return at >= 0 && at + 1 < stepWeights.length ? stepWeights[at + 1] - weight : 100 - weight;
}
