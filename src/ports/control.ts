/**
 * What the control API can ask of the operator. The operator implements it, the API exposes it, and nothing
 * else changes a rollout.
 * @module
 */

import type { Actor, RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';

export type Action =
  /** Runs the declared plan, or the one in `source` (checked like the file; a bad one is CONFIG_INVALID). */
  | {
      readonly kind: 'start';
      readonly source: { readonly file: string; readonly text: string } | null;
      readonly message: string | null;
      /** Check and project only; nothing is written. */
      readonly dryRun: boolean;
    }
  | { readonly kind: 'pause'; readonly reason: string | null }
  | { readonly kind: 'resume' }
  /** Ends the current hold or gate; `full` goes to 100 % at once. */
  | { readonly kind: 'promote'; readonly full: boolean; readonly reason: string | null }
  | { readonly kind: 'abort'; readonly reason: string }
  /** Starts an aborted or undone rollout again from its first step, with the plan as declared now. */
  | { readonly kind: 'retry'; readonly message: string | null }
  /** Takes a promoted rollout back to its baseline. */
  | { readonly kind: 'undo'; readonly reason: string | null };

export interface ActRequest {
  readonly rollout: string;
  readonly action: Action;
  readonly actor: Actor;
  /** Refused with STEP_MOVED unless the rollout is at this step (index). Null: wherever it is. */
  readonly expectStep: number | null;
  /** Refused with STEP_MOVED unless this is its newest run. Null: whichever. */
  readonly expectRun: number | null;
}

export interface RolloutChange {
  readonly view: RolloutView;
  /** Events that are new with this change. */
  readonly events: readonly RolloutEvent[];
}

/** What a service was asked and how its baseline did, lately. */
export interface MeasuredTraffic {
  readonly requestsPerSecond: number;
  /** 0–1. */
  readonly errorRate: number;
  /** Milliseconds that were measured. */
  readonly overMs: number;
}

/** Methods throw SluiceError; HELD_ELSEWHERE carries `data.contact`, the control API of the lease's holder. */
export interface Control {
  /** Declared and recorded rollouts, by name. */
  list(): Promise<readonly RolloutView[]>;
  view(rollout: string): Promise<RolloutView>;
  /** As the store has it, whoever looks after it: for when that operator does not answer. */
  storedView(rollout: string): Promise<RolloutView>;
  act(request: ActRequest): Promise<RolloutView>;
  /** Text of a run's recording (null: of its newest run); null when this operator has none. */
  recording(rollout: string, run: number | null): Promise<string | null>;
  /** Of the rollout's service; null when there is too little. */
  traffic(rollout: string): Promise<MeasuredTraffic | null>;
  /** Recorded events after a sequence, oldest first. */
  events(rollout: string, afterSequence: number, limit: number): Promise<readonly RolloutEvent[]>;
  /** Calls back on every transition and about once a second while a rollout is active, until `signal` ends. */
  subscribe(listener: (change: RolloutChange) => void, signal: AbortSignal): void;
}
