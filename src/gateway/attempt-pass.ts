/**
 * What an attempt tells those who let it through: how its head came, or that it never did. Knows nobody of them.
 * @module
 */

import type { BreakerOutcome } from '../core/policy/breaker.ts';
import { OUTCOME, type OutcomeIndex } from './version-counter.ts';

/** Only the first of all calls counts. */
export interface AttemptPass {
  settle(outcome: BreakerOutcome, nowMs: number): void;
  settleStatus(status: number, nowMs: number): void;
}

/** What it is for whoever has not seen a head by the end. Only a change of protocols ends well without one. */
export function passOutcome(outcome: OutcomeIndex): BreakerOutcome {
  if (outcome === OUTCOME.clientAborted) return 'neutral';
  return outcome < OUTCOME.status4xx ? 'ok' : 'failed';
}

/** Tells two. */
export class BothPasses implements AttemptPass {
  readonly #first: AttemptPass;
  readonly #second: AttemptPass;

  constructor(first: AttemptPass, second: AttemptPass) {
    this.#first = first;
    this.#second = second;
  }

  settle(outcome: BreakerOutcome, nowMs: number): void {
    this.#first.settle(outcome, nowMs);
    this.#second.settle(outcome, nowMs);
  }

  settleStatus(status: number, nowMs: number): void {
    this.#first.settleStatus(status, nowMs);
    this.#second.settleStatus(status, nowMs);
  }
}
