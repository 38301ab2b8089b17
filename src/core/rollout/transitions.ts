/**
 * The moves between states that ticks and commands share, each with the transition that goes on record.
 * Knows when none of them is due: that is `decide.ts` and `commands.ts`.
 * @module
 */

import { addMove, type WeightMove } from '../analysis/weight-moves.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { Actor, Transition } from '../domain/rollout-event.ts';
import { describeShare } from '../domain/share.ts';
import { FULL_BP } from '../domain/weight.ts';
import { enterNext, type MeasuredBefore, openRamp } from './auto-ramp.ts';
import type { Decision } from './decision.ts';
import { knownMoves, mirrorsAt } from './known-moves.ts';
import { type ActiveState, canaryWeightBp, type Holding, type RolloutState, stepsOf } from './state.ts';

export type Cause = Pick<Transition, 'actor' | 'code' | 'reason' | 'evidence'>;

/** To the next step, or to the end after the last one. */
export function advance(
  plan: Plan,
  state: ActiveState,
  cause: Cause & Pick<Transition, 'type'>,
  nowMs: number,
): Decision {
  const next = state.step + 1;
  if (next >= stepsOf(plan, state).length)
    return end(
      plan,
      state,
      'promoted',
      { ...cause, code: cause.code === 'REQUESTED' ? 'REQUESTED' : 'LAST_STEP_COMPLETE' },
      nowMs,
    );
  const transition = moveTo(plan, state, next, cause.type, cause, canaryWeightBp(plan, state));
  const move = { fromMs: nowMs, toMs: nowMs, mirrors: mirrorsAt(plan, state, next) };
  const entered = enter(next, nowMs, addMove(knownMoves(plan, state, nowMs), move));
  if (!state.ramp) return { ok: true, state: entered, transitions: [transition] };
  const ramp = enterNext(state.ramp, state.step, state.progress.evidenceMs);
  return {
    ok: true,
    state: { ...entered, ramp },
    transitions: [{ ...transition, ...(state.ramp.latest && { ramp: state.ramp.latest }) }],
  };
}

export function end(
  plan: Plan,
  state: RolloutState,
  phase: 'promoted' | 'aborted' | 'undone',
  cause: Cause,
  nowMs: number,
): Decision {
  const weightBeforeBp = canaryWeightBp(plan, state);
  const weightAfterBp = phase === 'promoted' ? FULL_BP : 0;
  const transition = record(phase, cause, state.step, weightBeforeBp, weightAfterBp);
  return {
    ok: true,
    state: {
      phase,
      step: state.step,
      sinceMs: nowMs,
      reason: cause.reason,
      ...(state.ramp && { ramp: state.ramp }),
    },
    transitions: [transition],
  };
}

/** The first state of a run, and its `started` transition. `measured`: the traffic before it, for `steps: auto`. */
export function begin(
  plan: Plan,
  actor: Actor,
  message: string | null,
  nowMs: number,
  measured: MeasuredBefore | null = null,
): { state: Holding; transition: Transition } {
  const ramp = plan.auto && openRamp(plan, plan.auto, measured);
  const mirrors = (ramp?.steps ?? plan.steps)[0]?.mirrorBp !== undefined;
  const moves = [{ fromMs: nowMs, toMs: nowMs, mirrors }];
  const state: Holding = { ...enter(0, nowMs, moves), ...(ramp && { ramp }) };
  const reason = message ?? `started ${describeShare(stepAt(plan, state, 0), 'at ')}`;
  const cause: Cause = { actor, code: 'REQUESTED', reason, evidence: [] };
  const transition = moveTo(plan, state, 0, 'started', cause, 0);
  return { state, transition: { ...transition, ...(ramp?.latest && { ramp: ramp.latest }) } };
}

export function toPaused(plan: Plan, state: ActiveState, cause: Cause, nowMs: number): Decision {
  const resumeTo = state.phase === 'awaiting-gate' ? 'awaiting-gate' : 'holding';
  return {
    ok: true,
    state: { ...state, phase: 'paused', sinceMs: nowMs, resumeTo, reason: cause.reason },
    transitions: [stayAt(plan, state, 'paused', cause)],
  };
}

/** A transition that changes nothing of what gateways serve. */
export function stayAt(plan: Plan, state: ActiveState, type: Transition['type'], cause: Cause): Transition {
  return moveTo(plan, state, state.step, type, cause, canaryWeightBp(plan, state));
}

function moveTo(
  plan: Plan,
  state: RolloutState,
  step: number,
  type: Transition['type'],
  cause: Cause,
  weightBeforeBp: number,
): Transition {
  const { weightBp, mirrorBp } = stepAt(plan, state, step);
  const transition = record(type, cause, step, weightBeforeBp, weightBp);
  return mirrorBp === undefined ? transition : { ...transition, mirrorBp };
}

function record(
  type: Transition['type'],
  cause: Cause,
  step: number,
  weightBeforeBp: number,
  weightAfterBp: number,
): Transition {
  const { actor, code, reason, evidence } = cause;
  return { type, actor, code, reason, step, weightBeforeBp, weightAfterBp, evidence };
}

function enter(step: number, nowMs: number, moves: readonly WeightMove[]): Holding {
  return {
    phase: 'holding',
    step,
    sinceMs: nowMs,
    progress: { evidenceMs: 0, requests: 0 },
    tickedAtMs: nowMs,
    noEvidenceSinceMs: null,
    moves,
  };
}

export function stay(state: RolloutState): Decision {
  return { ok: true, state, transitions: [] };
}

export function refuse(state: RolloutState, verb: string, hint: string): Decision {
  return { ok: false, code: 'WRONG_PHASE', detail: `cannot ${verb}: the rollout is ${state.phase}`, hint };
}

/** The step at an index that the state guarantees to exist. */
export function stepAt(plan: Plan, state: RolloutState, index: number): Step {
  const step = stepsOf(plan, state)[index];
  if (!step) throw new RangeError(`plan ${plan.rollout} has no step ${index}`);
  return step;
}
