/**
 * The retry budget of a service: retries may be a fifth of its requests over the last ten seconds, so that a
 * failing upstream is not hit harder for failing. Knows no requests, only counts and the time that it is told.
 * @module
 */

const WINDOW_S = 10;
const SHARE = 0.2;
/** Retries that are always allowed, so that a quiet service can retry at all. */
const FLOOR_PER_S = 10;

/** Counts per second in a ring of {@link WINDOW_S}. Times are milliseconds of any clock that never goes back. */
export class RetryBudget {
  readonly #requests = new Float64Array(WINDOW_S);
  readonly #retries = new Float64Array(WINDOW_S);
  #second = 0;

  /** Counts a first attempt. */
  countRequest(nowMs: number): void {
    const slot = this.#slot(nowMs);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
  }

  /** Takes one retry out of the budget; false when there is none left. */
  tryRetry(nowMs: number): boolean {
    const slot = this.#slot(nowMs);
    const allowed = Math.max(SHARE * sum(this.#requests), FLOOR_PER_S * WINDOW_S);
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
