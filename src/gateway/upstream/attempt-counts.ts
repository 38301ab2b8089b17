/**
 * How many attempts at one endpoint ended how, for Prometheus: which upstream answers errors, or none.
 * Knows outcomes and numbers only.
 * @module
 */

import type { OutcomeIndex } from '../version-counter.ts';

/** What metrics call an outcome, in the order of `OUTCOME`: the class of the status, or as `error_type` of attempts. */
export const OUTCOME_WORDS = [
  '2xx',
  '3xx',
  '4xx',
  '5xx',
  'connect',
  'reset',
  'timeout',
  'client_abort',
] as const;

export class AttemptCounts {
  readonly #counts = new Float64Array(OUTCOME_WORDS.length);

  note(outcome: OutcomeIndex): void {
    this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1;
  }

  /** `outcome`: index into {@link OUTCOME_WORDS}. */
  of(outcome: number): number {
    return this.#counts[outcome] ?? 0;
  }
}
