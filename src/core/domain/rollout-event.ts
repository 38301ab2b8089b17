/**
 * The events of a rollout: its audit trail, its notifications and its history are this one list.
 * Knows neither store nor channel. The hash chain is in `core/rollout/chain.ts`.
 * @module
 */

import type { RampRecord } from './ramp.ts';
import type { Check } from './rule.ts';

export type RolloutEventType =
  | 'started'
  | 'advanced'
  | 'awaiting-gate'
  | 'gate-passed'
  | 'paused'
  | 'resumed'
  | 'aborted'
  | 'promoted'
  | 'undone';

/** Who caused it: the operator by its rules, or a person through the API. */
export interface Actor {
  readonly kind: 'operator' | 'user';
  readonly name: string;
}

/** Machine-readable cause. `RULE` names the failing check in `evidence`. */
export type ReasonCode =
  | 'REQUESTED'
  | 'HOLD_COMPLETE'
  | 'GATE'
  | 'RULE'
  | 'NO_EVIDENCE'
  | 'OVERTIME'
  | 'LAST_STEP_COMPLETE';

/** One transition, as `decide` returns it. */
export interface Transition {
  readonly type: RolloutEventType;
  readonly actor: Actor;
  readonly code: ReasonCode;
  /** One sentence for people. */
  readonly reason: string;
  /** Index of the step that the rollout is at after the transition. */
  readonly step: number;
  readonly weightBeforeBp: number;
  readonly weightAfterBp: number;
  /** Share of users whose requests are mirrored to the canary after the transition; left out: nothing is mirrored. */
  readonly mirrorBp?: number;
  /** The checks that the decision rested on. */
  readonly evidence: readonly Check[];
  /** With `steps: auto`: the ramp that it follows, and what that was decided from. */
  readonly ramp?: RampRecord;
}

/** A transition on record. */
export interface RolloutEvent extends Transition {
  readonly rollout: string;
  readonly service: string;
  /** 1, 2, 3 … per rollout: each `start` and `retry` is a run of its own. */
  readonly run: number;
  /** 1, 2, 3 … per rollout, over all runs. */
  readonly sequence: number;
  /** Operator's clock, epoch milliseconds. */
  readonly atMs: number;
  readonly baseline: string;
  readonly canary: string;
  /** Hash of the event before this one; empty for the first. */
  readonly prevHash: string;
  /** SHA-256 (hex) over `prevHash` and the canonical JSON of everything above. */
  readonly hash: string;
}

/** Unique per transition, the same on every delivery: receivers deduplicate by it. */
export function eventId(event: Pick<RolloutEvent, 'rollout' | 'run' | 'sequence'>): string {
  return `${event.rollout}/${event.run}/${event.sequence}`;
}
