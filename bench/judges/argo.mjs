/**
 * Argo Rollouts: an AnalysisRun with one metric, as its controller counts and schedules measurements. Knows nothing of
 * where a measurement comes from.
 * @module
 */

const ERROR_RETRY_S = 10;

const DEFAULTS = {
  /** Seconds between measurements; null: one only. */
  intervalS: 60,
  count: 0,
  initialDelayS: 0,
  failureLimit: 0,
  inconclusiveLimit: 0,
  consecutiveErrorLimit: 4,
  consecutiveSuccessLimit: 0,
  successCondition: null,
  failureCondition: null,
};

/** Phase of one measurement. `result`: a number or a vector (list of numbers); conditions may throw. */
export function phaseOf(result, { successCondition, failureCondition }) {
  try {
    const failed = failureCondition?.(result) ?? null;
    const succeeded = successCondition?.(result) ?? null;
    if (failed === null && succeeded === null) return 'Successful';
    if (failed ?? !succeeded) return 'Failed';
    if (succeeded ?? !failed) return 'Successful';
    return 'Inconclusive';
  } catch {
    return 'Error';
  }
}

/** `result[0]` of a condition: an empty vector is an error. */
export function first(result) {
  if (result.length === 0) throw new RangeError('index out of range: 0 (array length is 0)');
  return result[0];
}

export class AnalysisRun {
  #config;
  #failed = 0;
  #inconclusive = 0;
  #successes = 0;
  #errors = 0;
  #count = 0;
  /** When the next measurement is due. */
  nextAtS;
  /** Running until a verdict, which sticks. */
  phase = 'Running';

  constructor(startS, config) {
    this.#config = { ...DEFAULTS, ...config };
    this.nextAtS = startS + this.#config.initialDelayS;
  }

  /** The rollout goes back to the stable version. */
  get aborts() {
    return this.phase === 'Failed' || this.phase === 'Error';
  }

  /** A measurement at `nowS`; `result` null: the query itself failed. */
  measure(nowS, result) {
    if (this.phase !== 'Running') return this.phase;
    const measured = result === null ? 'Error' : phaseOf(result, this.#config);
    if (measured === 'Error') {
      this.#errors += 1;
      this.#successes = 0;
    } else {
      this.#count += 1;
      this.#errors = 0;
      this.#successes = measured === 'Successful' ? this.#successes + 1 : 0;
      if (measured === 'Failed') this.#failed += 1;
      if (measured === 'Inconclusive') this.#inconclusive += 1;
    }
    this.nextAtS = nowS + (measured === 'Error' ? ERROR_RETRY_S : (this.#config.intervalS ?? 0));
    this.phase = this.#verdict();
    return this.phase;
  }

  #verdict() {
    const { failureLimit, inconclusiveLimit, consecutiveErrorLimit } = this.#config;
    const wanted = this.#config.consecutiveSuccessLimit;
    if (this.#errors > consecutiveErrorLimit) return 'Error';
    if (this.#inconclusive > inconclusiveLimit) return 'Inconclusive';
    if (failureLimit >= 0 && this.#failed > failureLimit) return 'Failed';
    if (wanted > 0 && this.#successes >= wanted) return 'Successful';
    if (this.#count < this.#effectiveCount()) return 'Running';
    if (wanted > 0) return failureLimit >= 0 ? 'Inconclusive' : 'Failed';
    return 'Successful';
  }

  #effectiveCount() {
    if (this.#config.count !== 0) return this.#config.count;
    return this.#config.intervalS === null ? 1 : Number.POSITIVE_INFINITY;
  }
}
