/**
 * The retry budget of a service: retries may be a share of its requests over the last ten seconds, so that a
 * failing upstream is not hit harder for failing. Knows no requests, only counts and the time that it is told.
 * @module
 */

const WINDOW_S = 10;

export interface RetryBudgetLimits {
  /** Of the requests, 0 to 1. */
  readonly share: number;
  /** Retries a second that are always allowed, so that a quiet service can retry at all. */
  readonly perSecond: number;
}

export const DEFAULT_RETRY_BUDGET: RetryBudgetLimits = { share: 0.2, perSecond: 10 };

/** Counts per second in a ring of {@link WINDOW_S}. Times are milliseconds of any clock that never goes back. */
export class RetryBudget {
  readonly #limits: RetryBudgetLimits;
  readonly #requests = new Float64Array(WINDOW_S);
  readonly #retries = new Float64Array(WINDOW_S);
  #second = 0;

  constructor(limits: RetryBudgetLimits) {
    this.#limits = limits;
  }

  /** Counts a first attempt. */
  countRequest(nowMs: number): void {
    const slot = this.#slot(nowMs);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
  }

  /** Takes one retry out of the budget; false when there is none left. */
  tryRetry(nowMs: number): boolean {
    const slot = this.#slot(nowMs);
    const { share, perSecond } = this.#limits;
    const allowed = Math.max(share * sum(this.#requests), perSecond * WINDOW_S);
    if (sum(this.#retries) >= allowed) return false;
    this.#retries[slot] = (this.#retries[slot] ?? 0) + 1;
    return true;
  }

  #slot(nowMs: number): number {
    const second = Math.max(this.#second, Math.floor(nowMs / 1000));
    if (second !== this.#second) {
      const first = Math.max(this.#second + 1, second - WINDOW_S + 1);
      for (let passed = first; passed <= second; passed += 1) {
        this.#requests[passed % WINDOW_S] = 0;
        this.#retries[passed % WINDOW_S] = 0;
      }
      this.#second = second;
    }
    return second % WINDOW_S;
  }
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (let i = 0; i < counts.length; i += 1) total += counts[i] ?? 0;
  return total;
}
