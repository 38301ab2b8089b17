/**
 * The state of a run and the record that a store keeps of a rollout. Pure data; every transition between
 * phases is in `decide.ts`.
 * @module
 */

import type { JudgeMemory } from '../analysis/judge.ts';
import type { WeightMove } from '../analysis/weight-moves.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { RampState } from './auto-ramp.ts';

/** What counts towards completing a step. */
export interface StepProgress {
  /** Time with evidence at this weight, milliseconds. */
  readonly evidenceMs: number;
  /** Judged canary requests at this weight, or compared answers of the canary where the step mirrors. */
  readonly requests: number;
}

/** What every phase with a canary under test knows. */
interface UnderTest {
  /** Index into the plan's steps. */
  readonly step: number;
  /** Start of the phase, epoch milliseconds. */
  readonly sinceMs: number;
  readonly progress: StepProgress;
  /** Newest tick, epoch milliseconds: time is counted from tick to tick, never over a gap. */
  readonly tickedAtMs: number;
  /** Since when evidence has been missing; null while it flows. */
  readonly noEvidenceSinceMs: number | null;
  /** When weights were moved, or may have been; left out by earlier versions of Sluice. */
  readonly moves?: readonly WeightMove[];
  /** With `steps: auto` only. */
  readonly ramp?: RampState;
}

export interface Holding extends UnderTest {
  readonly phase: 'holding';
}

export interface AwaitingGate extends UnderTest {
  readonly phase: 'awaiting-gate';
}

export interface Paused extends UnderTest {
  readonly phase: 'paused';
  readonly resumeTo: 'holding' | 'awaiting-gate';
  readonly reason: string;
}

/** A phase that nothing but a person leaves. */
export interface Ended {
  readonly phase: 'promoted' | 'aborted' | 'undone';
  /** Step at which it ended. */
  readonly step: number;
  readonly sinceMs: number;
  readonly reason: string;
  readonly ramp?: RampState;
}

export type ActiveState = Holding | AwaitingGate | Paused;
export type RolloutState = ActiveState | Ended;
export type Phase = RolloutState['phase'];

/** Everything a store keeps of one rollout beside its event log; replaced as a whole by each commit. */
export interface RolloutRecord {
  readonly rollout: string;
  readonly service: string;
  /** 1, 2, 3 …: each `start` and `retry` is a run of its own. */
  readonly run: number;
  /** 1, 2, 3 … over all runs of all rollouts of the service: the highest says what the service serves. */
  readonly ordinal: number;
  readonly plan: Plan;
  readonly state: RolloutState;
  readonly memory: JudgeMemory;
  /** Note given at `start`. */
  readonly message: string | null;
  readonly startedAtMs: number;
  /** Number of commits so far; a commit names the one it builds on. */
  readonly version: number;
  /** Sequence and hash of the newest event. */
  readonly lastSequence: number;
  readonly lastHash: string;
}

/** Whether the canary is under test: the run needs an operator. */
export function isActive(state: RolloutState): state is ActiveState {
  return state.phase === 'holding' || state.phase === 'awaiting-gate' || state.phase === 'paused';
}

/** `orders-v2#3`: names a run in split documents. */
export function runId(record: Pick<RolloutRecord, 'rollout' | 'run'>): string {
  return `${record.rollout}#${record.run}`;
}

/** The steps that a run follows: its plan's, or with `steps: auto` the ones taken so far and proposed next. */
export function stepsOf(plan: Plan, state: RolloutState): readonly Step[] {
  return state.ramp?.steps ?? plan.steps;
}

/** Basis points that the canary should have in this state. */
export function canaryWeightBp(plan: Plan, state: RolloutState): number {
  switch (state.phase) {
    case 'holding':
    case 'awaiting-gate':
    case 'paused':
      return stepsOf(plan, state)[state.step]?.weightBp ?? 0;
    case 'promoted':
      return 10_000;
    case 'aborted':
    case 'undone':
      return 0;
  }
}
