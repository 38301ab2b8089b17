/**
 * The plan: a rollout's steps and rules, compiled from its YAML and frozen into the run that follows it, so
 * that an edit of the file never changes a run under way. Knows no YAML.
 * @module
 */

import type { Rule } from './rule.ts';
import type { ServiceTraffic } from './service-traffic.ts';
import type { MatchOverride } from './split-document.ts';

/** What a step waits for after its hold, before the next one. */
export type Gate =
  | { readonly kind: 'manual' }
  /** Asked by POST every `intervalMs` until it answers 2xx (go) or 403 (abort). */
  | {
      readonly kind: 'webhook';
      readonly url: string;
      readonly intervalMs: number;
      readonly timeoutMs: number;
    };

export interface Step {
  /** Basis points of the canary; 0 at a step that mirrors. */
  readonly weightBp: number;
  /**
   * Basis points of the baseline's users whose requests the canary is asked too, its answers compared and thrown away.
   * Left out: nothing is mirrored.
   */
  readonly mirrorBp?: number;
  /** Time with evidence that must pass at this weight, milliseconds, unless the step is proven before. */
  readonly holdMs: number;
  /** Time with evidence that must pass even then; at most `holdMs`. */
  readonly minHoldMs: number;
  /** Canary requests that must have been judged at this weight; compared answers of the canary where the step mirrors. */
  readonly requests: number;
  readonly gate: Gate | null;
}

/** What `steps: auto` decides its ramp within. */
export interface AutoBounds {
  /** Failed requests that a bad release is expected to cost at most, until it is aborted. */
  readonly budget: number;
  /** The smallest release that counts as bad, as a multiple of the baseline's error rate; above 1. */
  readonly regression: number;
  /** Weight of the first step, basis points. */
  readonly fromBp: number;
  /** A step has at most so many times the weight of the one before; 2 or more. */
  readonly maxFactor: number;
  /** Of each step below 100 %, milliseconds with evidence. */
  readonly minHoldMs: number;
  readonly maxHoldMs: number;
  /** Of the whole run while it holds and is allowed to go on, milliseconds; then a person is asked. */
  readonly maxDurationMs: number;
}

export interface FreezeWindow {
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
}

/** When steps may advance. Aborting is never restricted. */
export interface Schedule {
  /** Five-field cron expression: advancing is allowed in the minutes that it matches. Null: always. */
  readonly advance: string | null;
  /** IANA time zone of `advance` and of freeze dates. */
  readonly timezone: string;
  readonly freeze: readonly FreezeWindow[];
}

export interface Plan {
  readonly rollout: string;
  readonly service: string;
  readonly baseline: string;
  readonly canary: string;
  /** With `auto`, the most steps that there can be: the ones of a run are in its state. */
  readonly steps: readonly Step[];
  /** `steps: auto`: weights and holds are decided while the rollout runs. Left out where the file lists the steps. */
  readonly auto?: AutoBounds;
  readonly abort: readonly Rule[];
  /**
   * `proven`: evidence may shorten a hold, down to its minimum, and a hold that ends without is either `unproven` or
   * goes on (`proven-only`); `elapsed`: only the hold counts.
   */
  readonly advance: 'proven' | 'proven-only' | 'elapsed';
  /** Accepted probability of aborting a healthy canary, per run. */
  readonly falseAbort: number;
  /** Part of that for looking into segments of the traffic, 0 to 0.5. Left out: 0, as in plans of old recordings. */
  readonly segmentShare?: number;
  /** After `afterMs` without evidence. */
  readonly onNoEvidence: { readonly afterMs: number; readonly action: 'hold' | 'pause' | 'abort' };
  readonly onOperatorLoss: { readonly afterMs: number; readonly action: 'baseline' | 'keep' };
  readonly schedule: Schedule | null;
  /** Names of notifiers of the operator's configuration. */
  readonly notify: readonly string[];
  /** Seeds the canary's share of users; by default `service/rollout`, so that a retry meets the same users. */
  readonly salt: string;
  readonly matches: readonly MatchOverride[];
  /** What the file says of the service's traffic: forecasts and lint go by it. Left out where it says nothing. */
  readonly traffic?: ServiceTraffic;
}
