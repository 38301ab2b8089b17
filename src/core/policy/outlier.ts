/**
 * Passive outlier ejection: an endpoint that fails several attempts in a row leaves the rotation for a while, longer
 * each time. Judges by attempts that are made anyway; knows no sockets, and time is told.
 * @module
 */

import type { Balancer } from './balancer.ts';
import type { BalanceTarget } from './target-state.ts';

export interface OutlierLimits {
  /** Failures in a row that eject. */
  readonly consecutive: number;
  /** First ejection, milliseconds; the n-th in a row takes n times that. */
  readonly baseMs: number;
  /** No ejection is longer, milliseconds. */
  readonly maxMs: number;
  /** 0–1: share of a version's endpoints that may be ejected at a time; one of several always may. */
  readonly maxShare: number;
}

export class OutlierWatch<T extends BalanceTarget> {
  readonly #limits: OutlierLimits;
  readonly #balancer: Balancer<T>;

  constructor(limits: OutlierLimits, balancer: Balancer<T>) {
    this.#limits = limits;
    this.#balancer = balancer;
  }

  /** An attempt is over. `failed`: refused, reset, timed out, 502, 503 or 504. */
  note({ state }: T, failed: boolean, nowMs: number): void {
    if (!failed) {
      state.failuresInARow = 0;
      return;
    }
    state.failuresInARow += 1;
    const { consecutive, baseMs, maxMs } = this.#limits;
    if (state.failuresInARow < consecutive || state.ejectedUntilMs > nowMs || !this.#mayEject(nowMs)) return;
    // Well for as long as the longest ejection: what was before does not count any more.
    const relapsed = nowMs - state.ejectedUntilMs < maxMs;
    state.ejectionsInARow = relapsed ? state.ejectionsInARow + 1 : 1;
    state.ejectedUntilMs = nowMs + Math.min(maxMs, baseMs * state.ejectionsInARow);
    state.ejections += 1;
    state.failuresInARow = 0;
    this.#balancer.refresh(nowMs);
  }

  #mayEject(nowMs: number): boolean {
    const { targets } = this.#balancer;
    const ejected = targets.filter(({ state }) => state.ejectedUntilMs > nowMs).length;
    const allowed = targets.length < 2 ? 0 : Math.max(1, Math.floor(this.#limits.maxShare * targets.length));
    return ejected < allowed;
  }
}
