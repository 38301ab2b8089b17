/**
 * The state of a run and the record that a store keeps of a rollout. Pure data; every transition between
 * phases is in `decide.ts`.
 * @module
 */

import type { Plan } from '../domain/plan.ts';

/** What counts towards completing a step. */
export interface StepProgress {
  /** Time with evidence at this weight, milliseconds. */
  readonly evidenceMs: number;
  /** Judged canary requests at this weight. */
  readonly requests: number;
}

export type RolloutState =
  | {
      readonly phase: 'holding';
      readonly step: number;
      readonly sinceMs: number;
      readonly progress: StepProgress;
      readonly lastTickMs: number;
      readonly noEvidenceSinceMs: number | null;
    }
  | {
      readonly phase: 'awaiting-gate';
      readonly step: number;
      readonly sinceMs: number;
      readonly progress: StepProgress;
      readonly lastTickMs: number;
      readonly noEvidenceSinceMs: number | null;
    }
  | {
      readonly phase: 'paused';
      readonly step: number;
      readonly sinceMs: number;
      readonly progress: StepProgress;
      readonly resumeTo: 'holding' | 'awaiting-gate';
      readonly reason: string;
    }
  | { readonly phase: 'promoted'; readonly step: number; readonly sinceMs: number }
  | { readonly phase: 'aborted'; readonly step: number; readonly sinceMs: number; readonly reason: string }
  | { readonly phase: 'undone'; readonly step: number; readonly sinceMs: number };

export type Phase = RolloutState['phase'];

/** Everything a store keeps of one rollout beside its event log; replaced as a whole by each commit. */
export interface RolloutRecord {
  readonly rollout: string;
  readonly service: string;
  readonly run: number;
  readonly plan: Plan;
  readonly state: RolloutState;
  /** Note given at `start`. */
  readonly message: string | null;
  readonly startedAtMs: number;
  /** Number of commits so far; a commit names the one it builds on. */
  readonly version: number;
  /** Sequence and hash of the newest event. */
  readonly lastSequence: number;
  readonly lastHash: string;
}

/** Whether the run still needs an operator. */
export function isActive(state: RolloutState): boolean {
  return state.phase === 'holding' || state.phase === 'awaiting-gate' || state.phase === 'paused';
}
