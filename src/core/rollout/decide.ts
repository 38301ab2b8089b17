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
import type { Plan, Step } from '../domain/plan.ts';
import type { Actor } from '../domain/rollout-event.ts';
import { describeShare } from '../domain/share.ts';
import { FULL_BP, formatBp } from '../domain/weight.ts';
import { describeCost, lookAhead, takenMs } from './auto-ramp.ts';
import { pause, promote, resume } from './commands.ts';
import type { Decision, Observation, RolloutInput } from './decision.ts';
import { knownMoves } from './known-moves.ts';
import { type ActiveState, canaryWeightBp, isActive, type RolloutState } from './state.ts';
import { advance, end, refuse, stay, stayAt, stepAt, toPaused } from './transitions.ts';

/** The actor of everything that the operator does by its rules. */
export const OPERATOR: Actor = { kind: 'operator', name: 'operator' };

/** A longer gap between two ticks does not count at all: nobody was watching in between. */
const MAX_TICK_MS = 5_000;

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
      // Said twice, done once: whoever aborts wants the baseline, and has it.
      if (state.phase === 'aborted') return stay(state);
      if (!isActive(state)) {
        const undo = 'To take a promoted rollout back, undo it.';
        const none = 'Only a rollout that is under way can be aborted.';
        return refuse(state, 'abort', state.phase === 'promoted' ? undo : none);
      }
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
  const state = observe(plan, before, observed, nowMs);
  const overdue =
    decideNoEvidence(plan, state, observed, nowMs) ?? decideOvertime(plan, state, observed, nowMs);
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
function observe(plan: Plan, state: ActiveState, observed: Observation, nowMs: number): ActiveState {
  const sinceTickMs = Math.max(0, nowMs - state.tickedAtMs);
  const elapsedMs = sinceTickMs <= MAX_TICK_MS ? sinceTickMs : 0;
  const flowing = observed.noEvidence === null;
  const counts = flowing && observed.applied && state.phase !== 'paused';
  const progress = counts
    ? {
        evidenceMs: state.progress.evidenceMs + elapsedMs,
        requests: state.progress.requests + observed.canaryRequests,
      }
    : state.progress;
  const noEvidenceSinceMs = flowing ? null : (state.noEvidenceSinceMs ?? nowMs);
  const moves = knownMoves(plan, state, nowMs);
  const next = { ...state, progress, noEvidenceSinceMs, tickedAtMs: nowMs, moves };
  if (!plan.auto || !state.ramp) return next;
  const { tally, checks } = observed;
  const seen = { step: state.step, heldMs: progress.evidenceMs, tally, checks };
  // Neither a pause nor a closed schedule is the ramp's fault: its bound is about the time that it had.
  const hadMs = state.phase === 'holding' && observed.mayAdvance ? elapsedMs : 0;
  const taken = takenMs(state.ramp, state.step, state.progress.evidenceMs) + hadMs;
  return { ...next, ramp: { ...lookAhead(plan, plan.auto, state.ramp, seen), takenMs: taken } };
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

/** A ramp that takes longer than its bounds say asks a person, once: there is nothing wrong with the canary. */
function decideOvertime(
  plan: Plan,
  state: ActiveState,
  observed: Observation,
  nowMs: number,
): Decision | null {
  const { ramp } = state;
  if (!plan.auto || !ramp || ramp.overtime || state.phase !== 'holding') return null;
  const taken = takenMs(ramp, state.step, state.progress.evidenceMs);
  if (taken <= plan.auto.maxDurationMs || canaryWeightBp(plan, state) === FULL_BP) return null;
  const at = formatBp(canaryWeightBp(plan, state));
  const why = ramp.obstacle === null ? '' : `: ${ramp.obstacle}`;
  const reason = `the ramp is at ${at} after ${formatDuration(taken)}, longer than its bounds allow${why}`;
  const cause = { actor: OPERATOR, code: 'OVERTIME', reason, evidence: observed.checks } as const;
  return toPaused(plan, { ...state, ramp: { ...ramp, overtime: true } }, cause, nowMs);
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
  if (gate?.answer !== 'go' || !observed.mayAdvance || !isSound(observed)) return stay(state);
  const reason = `the gate of step ${state.step + 1} said go: ${gate.detail}`;
  return advance(
    plan,
    state,
    { type: 'gate-passed', actor: OPERATOR, code: 'GATE', reason, evidence: observed.checks },
    nowMs,
  );
}

function isComplete(plan: Plan, state: ActiveState, observed: Observation): boolean {
  const step = stepAt(plan, state, state.step);
  const { evidenceMs, requests } = state.progress;
  if (!isSound(observed) || requests < step.requests) return false;
  if (state.ramp) {
    const proven = plan.advance !== 'proven-only' || observed.proven || step.weightBp === FULL_BP;
    return evidenceMs >= step.holdMs && state.ramp.obstacle === null && proven;
  }
  if (plan.advance !== 'elapsed' && observed.proven && evidenceMs >= step.minHoldMs) return true;
  // At 100 % there may be nothing left to compare with: waiting for a proof could be for ever.
  const waits = plan.advance === 'proven-only' && step.weightBp < FULL_BP;
  return evidenceMs >= step.holdMs && !waits;
}

/**
 * Whether the rollout may move forward by itself now: gateways serve what is set, evidence flows, and no limit
 * is broken, not even one that has not been broken for long enough to abort.
 */
function isSound(observed: Observation): boolean {
  const breached = observed.checks.some((check) => check.breachedSinceMs !== null);
  return observed.applied && observed.noEvidence === null && !breached;
}

function completeStep(plan: Plan, state: ActiveState, observed: Observation, nowMs: number): Decision {
  const step = stepAt(plan, state, state.step);
  const done = describeCompletion(plan, state, observed);
  if (step.gate) {
    const reason = `${done} and waits for its ${step.gate.kind} gate`;
    const cause = { actor: OPERATOR, code: 'HOLD_COMPLETE', reason, evidence: observed.checks } as const;
    const transition = stayAt(plan, state, 'awaiting-gate', cause);
    return {
      ok: true,
      state: { ...state, phase: 'awaiting-gate', sinceMs: nowMs },
      transitions: [transition],
    };
  }
  if (!observed.mayAdvance) return stay(state);
  const cost = state.ramp ? describeCost(state.ramp) : '';
  const reason = `${done}: ${describeProgress(step, state)}, no rule broken${cost}`;
  return advance(
    plan,
    state,
    { type: 'advanced', actor: OPERATOR, code: 'HOLD_COMPLETE', reason, evidence: observed.checks },
    nowMs,
  );
}

/** Says out loud whether the step has been proven, where that was asked for. */
function describeCompletion(plan: Plan, state: ActiveState, observed: Observation): string {
  const which = `step ${state.step + 1} (${describeShare(stepAt(plan, state, state.step))})`;
  if (plan.advance === 'elapsed') return `${which} is complete`;
  return observed.proven ? `${which} is proven` : `${which} is complete, unproven`;
}

function describeProgress(step: Step, { progress }: ActiveState): string {
  const counted = step.mirrorBp === undefined ? 'canary requests' : 'answers compared';
  return `${formatDuration(progress.evidenceMs)} with evidence, ${progress.requests} ${counted}`;
}
