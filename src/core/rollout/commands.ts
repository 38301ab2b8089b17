/**
 * What people ask of a rollout: each command fits some phases and is refused with a hint in the others.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Actor } from '../domain/rollout-event.ts';
import type { Decision } from './decision.ts';
import { knownMoves } from './known-moves.ts';
import { isActive, type RolloutState } from './state.ts';
import { advance, type Cause, end, refuse, stayAt, toPaused } from './transitions.ts';

export function pause(
  plan: Plan,
  state: RolloutState,
  actor: Actor,
  reason: string,
  nowMs: number,
): Decision {
  if (!isActive(state) || state.phase === 'paused')
    return refuse(state, 'pause', 'Only a rollout that is holding or waiting can be paused.');
  return toPaused(plan, state, { actor, code: 'REQUESTED', reason, evidence: [] }, nowMs);
}

export function resume(plan: Plan, state: RolloutState, actor: Actor, nowMs: number): Decision {
  if (state.phase !== 'paused') return refuse(state, 'resume', 'Only a paused rollout can be resumed.');
  const { resumeTo, reason, ...rest } = state;
  const cause: Cause = {
    actor,
    code: 'REQUESTED',
    reason: `resumed; it had been paused because: ${reason}`,
    evidence: [],
  };
  return {
    ok: true,
    state: {
      ...rest,
      phase: resumeTo,
      sinceMs: nowMs,
      tickedAtMs: nowMs,
      noEvidenceSinceMs: null,
      moves: knownMoves(plan, state, nowMs),
    },
    transitions: [stayAt(plan, state, 'resumed', cause)],
  };
}

export function promote(
  plan: Plan,
  state: RolloutState,
  input: { actor: Actor; reason: string; full: boolean },
  nowMs: number,
): Decision {
  if (!isActive(state)) return refuse(state, 'promote', 'Only a rollout that is under way can be promoted.');
  const reason =
    state.phase === 'paused' ? `${input.reason}; it had been paused because: ${state.reason}` : input.reason;
  const cause: Cause = { actor: input.actor, code: 'REQUESTED', reason, evidence: [] };
  if (input.full) return end(plan, state, 'promoted', cause, nowMs);
  const approved =
    state.phase === 'awaiting-gate' || (state.phase === 'paused' && state.resumeTo === 'awaiting-gate');
  return advance(plan, state, { ...cause, type: approved ? 'gate-passed' : 'advanced' }, nowMs);
}
