/**
 * The ramp of `steps: auto` as data: what it is decided from and what is decided. Stored in states and events, so that
 * every decision can be made again; the deciding itself is `analysis/ramp.ts`.
 * @module
 */

import type { ServiceTraffic } from './service-traffic.ts';

/** Canary requests that have been judged at one weight. */
export interface Exposure {
  readonly weightBp: number;
  readonly requests: number;
}

/** A bad release: the share of its requests that fail, 0–1, and how many are expected to fail until it is aborted. */
export interface Cost {
  readonly failures: number;
  readonly rate: number;
}

/** Everything that a ramp is decided from, apart from the plan. */
export interface RampInputs {
  /** As measured lately. */
  readonly traffic: ServiceTraffic;
  /** One per step so far; the last one is the weight that is held now. */
  readonly exposures: readonly Exposure[];
  /** Time with evidence at that weight, milliseconds. */
  readonly heldMs: number;
  /** Every comparison of error rates has proven, at that weight, that the canary keeps it. */
  readonly proven: boolean;
}

export interface RampStep {
  readonly weightBp: number;
  /** In full, also of the weight that is held now, milliseconds. */
  readonly holdMs: number;
}

/** What stands in the way of the next weight. */
export type RampObstacle =
  /** The weight that is held costs more than the budget already. */
  | { readonly kind: 'budget'; readonly atBp: number }
  /** It takes longer than the longest hold until `nextBp` is affordable; null: it never is at this traffic. */
  | { readonly kind: 'slow'; readonly atBp: number; readonly nextBp: number; readonly waitMs: number | null }
  /** All that is missing for 100 % is the proof. */
  | { readonly kind: 'proof'; readonly atBp: number };

export interface Ramp {
  /** From the weight that is held now to 100 %. */
  readonly steps: readonly RampStep[];
  /** The dearest bad release that would not have been seen yet, from its first request on. */
  readonly worst: Cost;
  /** The first on the way; null: the ramp keeps all its bounds. */
  readonly obstacle: RampObstacle | null;
}

/** A ramp on record. */
export interface RampRecord {
  readonly inputs: RampInputs;
  readonly ramp: Ramp;
}
