/**
 * The moves of weights that a run's state knows of, including what may have happened while nobody ticked. Knows no
 * counter.
 * @module
 */

import { addMove, type WeightMove } from '../analysis/weight-moves.ts';
import type { Plan } from '../domain/plan.ts';
import { type ActiveState, stepsOf } from './state.ts';

/** Without an operator gateways may have left the split when its lease ran out, and come back to it only now. */
export function knownMoves(plan: Plan, state: ActiveState, nowMs: number): readonly WeightMove[] {
  const { sinceMs, tickedAtMs } = state;
  const mirrors = mirrorsAt(plan, state, state.step);
  // A run that began under an earlier version of Sluice knows the start of its phase only.
  const known = state.moves ?? [{ fromMs: sinceMs, toMs: sinceMs, mirrors }];
  const { action, afterMs } = plan.onOperatorLoss;
  if (action === 'keep' || nowMs - tickedAtMs <= afterMs) return known;
  return addMove(known, { fromMs: tickedAtMs, toMs: nowMs, mirrors });
}

export function mirrorsAt(plan: Plan, state: ActiveState, step: number): boolean {
  return stepsOf(plan, state)[step]?.mirrorBp !== undefined;
}
