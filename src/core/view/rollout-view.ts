/**
 * RolloutView: the one projection of a rollout that CLI, control API, notifications and dashboard render.
 * They never decide anything from it. Built by `project.ts`.
 * @module
 */

import type { Cost } from '../domain/ramp.ts';
import type { RolloutEvent } from '../domain/rollout-event.ts';
import type { Check, NoEvidenceCause } from '../domain/rule.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import type { AppliedState } from '../domain/split-document.ts';
import type { LeftOut } from '../domain/telemetry.ts';
import type { Phase } from '../rollout/state.ts';

/** `attention` asks for a person; `bad` and `good` are ends. */
export type Severity = 'idle' | 'active' | 'attention' | 'bad' | 'good';

export interface StepView {
  readonly weightBp: number;
  /** Share of users whose requests are mirrored to the canary, basis points; left out: none. */
  readonly mirrorBp?: number;
  readonly state: 'done' | 'current' | 'upcoming' | 'failed';
  readonly holdMs: number;
  readonly requestsNeeded: number;
  readonly gate: 'manual' | 'webhook' | null;
}

/** Of `steps: auto`: what the steps ahead are decided from. */
export interface RampView {
  /** Failed requests that a bad release may cost. */
  readonly budget: number;
  /** All bounds, one line. */
  readonly bounds: string;
  /** As measured lately; null: too little to tell. */
  readonly traffic: ServiceTraffic | null;
  /** The dearest bad release on the way; null while there is no traffic to tell. */
  readonly worst: Cost | null;
  /** Why the next weight is out of reach; null: only time is missing. */
  readonly obstacle: string | null;
}

export interface GatewayView {
  readonly name: string;
  readonly revision: number;
  readonly state: AppliedState;
  /** Since its last sign of life, milliseconds. */
  readonly ageMs: number;
  /** Serves exactly the revision that is set. */
  readonly current: boolean;
}

/** Says of a threshold that a healthy canary may break it by chance. */
export const NO_GUARANTEE = 'no guarantee';

export interface CheckView extends Check {
  /** Canary's value at recent checks, oldest first, for a sparkline; null where there was none. */
  readonly recent: readonly (number | null)[];
  /** It decides by its limit alone and carries no guarantee; left out of rules that need evidence as well. */
  readonly threshold?: true;
}

export interface RolloutView {
  readonly rollout: string;
  readonly service: string;
  readonly baseline: string;
  readonly canary: string;
  /** `ready`: declared, never started. */
  readonly phase: Phase | 'ready';
  readonly severity: Severity;
  /** One word for tables, upper case: READY, HOLDING, WAITING, PAUSED, PROMOTED, ABORTED, UNDONE. */
  readonly word: string;
  /** What is going on and what happens next, one or two sentences. */
  readonly sentence: string;
  readonly message: string | null;
  /** 0 before the first start. */
  readonly run: number;
  /** Changes with every commit; monotone per rollout. */
  readonly version: number;
  /** Index into `steps`. */
  readonly step: number;
  readonly steps: readonly StepView[];
  /** With `steps: auto` only: the steps after this one are proposals, made anew at every look. */
  readonly ramp?: RampView;
  readonly progress: { readonly evidenceMs: number; readonly requests: number };
  readonly weight: {
    /** What the operator has asked for. */
    readonly setBp: number;
    readonly revision: number;
    /** Canary's share of the attempts judged in the last minute; null without traffic. */
    readonly servedBp: number | null;
    /** Attempts judged of the canary and in all, in that minute. */
    readonly canaryRequests: number;
    readonly totalRequests: number;
  };
  /** What the step under way mirrors; left out where it does not. */
  readonly mirror?: {
    readonly shareBp: number;
    /** Answers of the canary that were compared, in the same minute. */
    readonly compared: number;
  };
  /** Attempts of the last minute that are in no segment, by dimension: it has too many values. Left out without any. */
  readonly leftOut?: LeftOut;
  readonly gateways: readonly GatewayView[];
  readonly evidence: {
    readonly flowing: boolean;
    readonly cause: NoEvidenceCause | null;
    readonly sinceMs: number | null;
  };
  readonly checks: readonly CheckView[];
  readonly startedAtMs: number | null;
  /** Start of the current phase. */
  readonly sinceMs: number | null;
  /** Least time left until promotion if every check passes; null when it can't be told (gates, pauses, ends). */
  readonly remainingMs: number | null;
  /** Newest events, oldest first, at most 20. */
  readonly events: readonly RolloutEvent[];
  /** Operator's clock when this was projected. */
  readonly nowMs: number;
}
