/**
 * What the result of a health check means for an endpoint: how many in a row change its state. Knows no sockets
 * and no timers.
 * @module
 */

import type { TargetState } from './target-state.ts';

export interface HealthLimits {
  /** Successes in a row after which an unhealthy endpoint is healthy. */
  readonly healthy: number;
  /** Failures in a row after which a healthy endpoint is unhealthy. */
  readonly unhealthy: number;
}

/** Takes the result into `state`; true when the endpoint comes into or goes out of rotation by it. */
export function noteProbe(state: TargetState, ok: boolean, limits: HealthLimits, nowMs: number): boolean {
  if (ok) {
    state.probesOk += 1;
    state.probesOkInARow += 1;
    state.probesFailedInARow = 0;
    if (state.joining) {
      // One success is enough for one that has never failed anybody.
      state.joining = false;
      state.healthy = true;
      state.admittedAtMs = nowMs;
      return true;
    }
    if (state.healthy || state.probesOkInARow < limits.healthy) return false;
    state.healthy = true;
    state.admittedAtMs = nowMs;
    return true;
  }
  state.probesFailed += 1;
  state.probesFailedInARow += 1;
  state.probesOkInARow = 0;
  if (state.joining || !state.healthy || state.probesFailedInARow < limits.unhealthy) return false;
  state.healthy = false;
  return true;
}

/** Nobody checks it any more: it counts as well. True when that changes anything. */
export function forgetHealth(state: TargetState): boolean {
  const changed = state.joining || !state.healthy;
  state.joining = false;
  state.healthy = true;
  state.probesOkInARow = 0;
  state.probesFailedInARow = 0;
  return changed;
}
