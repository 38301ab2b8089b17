/**
 * The rollout state machine. Owns every transition; knows no clock, store, channel or gateway.
 *
 * Effects are not listed: what gateways should serve is a function of the state (`desired-split.ts`), who is
 * to be told is a function of the recorded transitions. So a crash between a decision and its effects repeats
 * the effects and never the decision.
 * @module
 */

import { assertNever } from '../domain/assert-never.ts';
import { formatDuration } from '../domain/duration.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { Actor, Transition } from '../domain/rollout-event.ts';
import type { Check, NoEvidenceCause } from '../domain/rule.ts';
import { FULL_BP, formatBp } from '../domain/weight.ts';
import { type ActiveState, canaryWeightBp, type Holding, isActive, type RolloutState } from './state.ts';

/** What the operator saw since the last tick. */
export interface Observation {
  readonly checks: readonly Check[];
  /** Null: evidence flows. Otherwise why there is none; the time does not count. */
  readonly noEvidence: { readonly cause: NoEvidenceCause; readonly detail: string } | null;
  /** Every live gateway, and at least one, serves the weight that this state asks for. */
  readonly applied: boolean;
  /** Canary requests judged since the last tick. */
  readonly canaryRequests: number;
  /** Answer of the current step's webhook gate; null when there is none or no answer yet. */
  readonly gate: { readonly answer: 'go' | 'stop'; readonly detail: string } | null;
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

export const OPERATOR: Actor = { kind: 'operator', name: 'operator' };

/** A longer gap between two ticks counts as this much: nobody was watching in between. */
const MAX_TICK_MS = 5_000;

/** The first state of a run, and its `started` transition. */
export function begin(
  plan: Plan,
  actor: Actor,
  message: string | null,
  nowMs: number,
): { state: Holding; transition: Transition } {
  const weightAfterBp = stepAt(plan, 0).weightBp;
  const transition: Transition = {
    type: 'started',
    actor,
    code: 'REQUESTED',
    reason: message ?? `started at ${formatBp(weightAfterBp)}`,
    step: 0,
    weightBeforeBp: 0,
    weightAfterBp,
    evidence: [],
  };
  return { state: enter(0, nowMs), transition };
}

/** Returns the next state and what to record. Never throws on valid input; an input that does not fit is refused. */
export function decide(plan: Plan, state: RolloutState, input: RolloutInput, nowMs: number): Decision {
  switch (input.kind) {
    case 'tick':
      return isActive(state) ? decideTick(plan, state, input.observation, nowMs) : stay(state);
    case 'pause':
      return pause(plan, state, input.actor, input.reason, nowMs);
    case 'resume':
      return resume(plan, state, input.actor, nowMs);
    case 'promote':
      return promote(plan, state, input, nowMs);
    case 'abort':
      if (!isActive(state)) return refuse(state, 'abort', 'Only a rollout that is under way can be aborted.');
      return end(
        plan,
        state,
        'aborted',
        { actor: input.actor, code: 'REQUESTED', reason: input.reason, evidence: [] },
        nowMs,
      );
    case 'undo':
      if (state.phase !== 'promoted')
        return refuse(state, 'undo', 'Only a promoted rollout can be undone; abort one that is under way.');
      return end(
        plan,
        state,
        'undone',
        { actor: input.actor, code: 'REQUESTED', reason: input.reason, evidence: [] },
        nowMs,
      );
    default:
      return assertNever(input);
  }
}

/** In order of safety: abort, then missing evidence, then progress. A paused rollout is still protected. */
function decideTick(plan: Plan, before: ActiveState, observed: Observation, nowMs: number): Decision {
  const failed = observed.checks.filter((check) => check.verdict === 'fail');
  const first = failed[0];
  if (first) {
    const reason = `rule "${first.text}" failed: ${first.summary}`;
    return end(plan, before, 'aborted', { actor: OPERATOR, code: 'RULE', reason, evidence: failed }, nowMs);
  }
  const state = observe(before, observed, nowMs);
  const overdue = decideNoEvidence(plan, state, observed, nowMs);
  if (overdue) return overdue;
  switch (state.phase) {
    case 'paused':
      return stay(state);
    case 'awaiting-gate':
      return decideGate(plan, state, observed, nowMs);
    case 'holding':
      return isComplete(plan, state, observed) ? completeStep(plan, state, observed, nowMs) : stay(state);
    default:
      return assertNever(state);
  }
}

/** Counts time and requests: only with evidence, only at the weight that is really served, never while paused. */
function observe(state: ActiveState, observed: Observation, nowMs: number): ActiveState {
  const elapsedMs = Math.min(MAX_TICK_MS, Math.max(0, nowMs - state.tickedAtMs));
  const flowing = observed.noEvidence === null;
  const counts = flowing && observed.applied && state.phase !== 'paused';
  const progress = counts
    ? {
        evidenceMs: state.progress.evidenceMs + elapsedMs,
        requests: state.progress.requests + observed.canaryRequests,
      }
    : state.progress;
  const noEvidenceSinceMs = flowing ? null : (state.noEvidenceSinceMs ?? nowMs);
  return { ...state, progress, noEvidenceSinceMs, tickedAtMs: nowMs };
}

function decideNoEvidence(
  plan: Plan,
  state: ActiveState,
  observed: Observation,
  nowMs: number,
): Decision | null {
  const { action, afterMs } = plan.onNoEvidence;
  if (observed.noEvidence === null || state.noEvidenceSinceMs === null || state.phase === 'paused')
    return null;
  if (action === 'hold' || nowMs - state.noEvidenceSinceMs < afterMs) return null;
  const reason = `no evidence for ${formatDuration(nowMs - state.noEvidenceSinceMs)}: ${observed.noEvidence.detail}`;
  const cause = { actor: OPERATOR, code: 'NO_EVIDENCE', reason, evidence: observed.checks } as const;
  if (action === 'abort') return end(plan, state, 'aborted', cause, nowMs);
  return toPaused(plan, state, cause, nowMs);
}

function decideGate(plan: Plan, state: ActiveState, observed: Observation, nowMs: number): Decision {
  const { gate } = observed;
  if (gate?.answer === 'stop') {
    const reason = `the gate of step ${state.step + 1} said stop: ${gate.detail}`;
    return end(
      plan,
      state,
      'aborted',
      { actor: OPERATOR, code: 'GATE', reason, evidence: observed.checks },
      nowMs,
    );
  }
  if (gate?.answer !== 'go' || !observed.mayAdvance || anyBreach(observed)) return stay(state);
  const reason = `the gate of step ${state.step + 1} said go: ${gate.detail}`;
  return advance(
    plan,
    state,
    { type: 'gate-passed', actor: OPERATOR, code: 'GATE', reason, evidence: observed.checks },
    nowMs,
  );
}

function isComplete(plan: Plan, state: ActiveState, observed: Observation): boolean {
  const step = stepAt(plan, state.step);
  const { evidenceMs, requests } = state.progress;
  return observed.applied && evidenceMs >= step.holdMs && requests >= step.requests && !anyBreach(observed);
}

/** A limit that is broken but not yet for long enough never lets a step advance. */
function anyBreach(observed: Observation): boolean {
  return observed.checks.some((check) => check.breachedSinceMs !== null);
}

function completeStep(plan: Plan, state: ActiveState, observed: Observation, nowMs: number): Decision {
  const step = stepAt(plan, state.step);
  if (step.gate) {
    const weightBp = step.weightBp;
    const reason = `step ${state.step + 1} (${formatBp(weightBp)}) is complete and waits for its ${step.gate.kind} gate`;
    const transition = record(
      'awaiting-gate',
      { actor: OPERATOR, code: 'HOLD_COMPLETE', reason, evidence: observed.checks },
      state.step,
      weightBp,
      weightBp,
    );
    return {
      ok: true,
      state: { ...state, phase: 'awaiting-gate', sinceMs: nowMs },
      transitions: [transition],
    };
  }
  if (!observed.mayAdvance) return stay(state);
  const reason = `step ${state.step + 1} (${formatBp(step.weightBp)}) is complete: ${describeProgress(state)}, no rule broken`;
  return advance(
    plan,
    state,
    { type: 'advanced', actor: OPERATOR, code: 'HOLD_COMPLETE', reason, evidence: observed.checks },
    nowMs,
  );
}

function describeProgress(state: ActiveState): string {
  return `${formatDuration(state.progress.evidenceMs)} with evidence, ${state.progress.requests} canary requests`;
}

type Cause = Pick<Transition, 'actor' | 'code' | 'reason' | 'evidence'>;

/** To the next step, or to the end after the last one. */
function advance(
  plan: Plan,
  state: ActiveState,
  cause: Cause & Pick<Transition, 'type'>,
  nowMs: number,
): Decision {
  const next = state.step + 1;
  if (next >= plan.steps.length)
    return end(
      plan,
      state,
      'promoted',
      { ...cause, code: cause.code === 'REQUESTED' ? 'REQUESTED' : 'LAST_STEP_COMPLETE' },
      nowMs,
    );
  const weightBeforeBp = canaryWeightBp(plan, state);
  const transition = record(cause.type, cause, next, weightBeforeBp, stepAt(plan, next).weightBp);
  return { ok: true, state: enter(next, nowMs), transitions: [transition] };
}

function end(
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
    state: { phase, step: state.step, sinceMs: nowMs, reason: cause.reason },
    transitions: [transition],
  };
}

function pause(plan: Plan, state: RolloutState, actor: Actor, reason: string, nowMs: number): Decision {
  if (!isActive(state) || state.phase === 'paused')
    return refuse(state, 'pause', 'Only a rollout that is holding or waiting can be paused.');
  return toPaused(plan, state, { actor, code: 'REQUESTED', reason, evidence: [] }, nowMs);
}

function toPaused(plan: Plan, state: ActiveState, cause: Cause, nowMs: number): Decision {
  const weightBp = canaryWeightBp(plan, state);
  const resumeTo = state.phase === 'awaiting-gate' ? 'awaiting-gate' : 'holding';
  return {
    ok: true,
    state: { ...state, phase: 'paused', sinceMs: nowMs, resumeTo, reason: cause.reason },
    transitions: [record('paused', cause, state.step, weightBp, weightBp)],
  };
}

function resume(plan: Plan, state: RolloutState, actor: Actor, nowMs: number): Decision {
  if (state.phase !== 'paused') return refuse(state, 'resume', 'Only a paused rollout can be resumed.');
  const { resumeTo, reason, ...rest } = state;
  const weightBp = canaryWeightBp(plan, state);
  const cause: Cause = {
    actor,
    code: 'REQUESTED',
    reason: `resumed; it had been paused because: ${reason}`,
    evidence: [],
  };
  return {
    ok: true,
    state: { ...rest, phase: resumeTo, sinceMs: nowMs, tickedAtMs: nowMs, noEvidenceSinceMs: null },
    transitions: [record('resumed', cause, state.step, weightBp, weightBp)],
  };
}

function promote(
  plan: Plan,
  state: RolloutState,
  input: { actor: Actor; reason: string; full: boolean },
  nowMs: number,
): Decision {
  if (!isActive(state)) return refuse(state, 'promote', 'Only a rollout that is under way can be promoted.');
  const cause: Cause = { actor: input.actor, code: 'REQUESTED', reason: input.reason, evidence: [] };
  if (input.full) return end(plan, state, 'promoted', cause, nowMs);
  const approved =
    state.phase === 'awaiting-gate' || (state.phase === 'paused' && state.resumeTo === 'awaiting-gate');
  return advance(plan, state, { ...cause, type: approved ? 'gate-passed' : 'advanced' }, nowMs);
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

function enter(step: number, nowMs: number): Holding {
  return {
    phase: 'holding',
    step,
    sinceMs: nowMs,
    progress: { evidenceMs: 0, requests: 0 },
    tickedAtMs: nowMs,
    noEvidenceSinceMs: null,
  };
}

function stay(state: RolloutState): Decision {
  return { ok: true, state, transitions: [] };
}

function refuse(state: RolloutState, verb: string, hint: string): Decision {
  return { ok: false, code: 'WRONG_PHASE', detail: `cannot ${verb}: the rollout is ${state.phase}`, hint };
}

/** The step at an index that the state guarantees to exist. */
export function stepAt(plan: Plan, index: number): Step {
  const step = plan.steps[index];
  if (!step) throw new RangeError(`plan ${plan.rollout} has no step ${index}`);
  return step;
}
