/**
 * What goes into the rollout state machine and what comes out. Pure data, shared by its parts.
 * @module
 */

import type { Tally } from '../analysis/traffic-meter.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Actor, Transition } from '../domain/rollout-event.ts';
import type { Check, NoEvidenceCause } from '../domain/rule.ts';
import type { RolloutState } from './state.ts';

/** What the operator saw since the last tick. */
export interface Observation {
  readonly checks: readonly Check[];
  /** Null: evidence flows. Otherwise why there is none; the time does not count. */
  readonly noEvidence: { readonly cause: NoEvidenceCause; readonly detail: string } | null;
  /** Every live gateway, and at least one, serves the weight that this state asks for. */
  readonly applied: boolean;
  /** Canary requests judged since the last tick; at a step that mirrors, answers of the canary compared. */
  readonly canaryRequests: number;
  /** The seconds that were judged since the last tick. */
  readonly tally: Tally;
  /** Answer of the current step's webhook gate; null when there is none or no answer yet. */
  readonly gate: { readonly answer: 'go' | 'stop'; readonly detail: string } | null;
  /** The judge's evidence says that the canary keeps every limit, in this step. */
  readonly proven: boolean;
  /** Whether schedule and freeze windows allow advancing now. */
  readonly mayAdvance: boolean;
}

export type RolloutInput =
  | { readonly kind: 'tick'; readonly observation: Observation }
  | { readonly kind: 'pause'; readonly actor: Actor; readonly reason: string }
  | { readonly kind: 'resume'; readonly actor: Actor }
  | { readonly kind: 'promote'; readonly actor: Actor; readonly reason: string; readonly full: boolean }
  | { readonly kind: 'abort'; readonly actor: Actor; readonly reason: string }
  | { readonly kind: 'undo'; readonly actor: Actor; readonly reason: string };

export type Decision =
  | { readonly ok: true; readonly state: RolloutState; readonly transitions: readonly Transition[] }
  | { readonly ok: false; readonly code: ErrorCode; readonly detail: string; readonly hint: string };
