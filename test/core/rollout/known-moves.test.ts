/** Moves of weights outlive pauses, commands and operators: counters of such a time are bet on by nobody. */

import { describe, expect, it } from 'vitest';
import { addMove, movedWithin, type WeightMove } from '../../../src/core/analysis/weight-moves.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import type { RolloutInput } from '../../../src/core/rollout/decision.ts';
import { knownMoves } from '../../../src/core/rollout/known-moves.ts';
import { isActive, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { observed, plan } from './plans.ts';

const ada = { kind: 'user', name: 'ada' } as const;
const [, ...rest] = plan().steps;
const mirroring = plan({
  steps: [{ weightBp: 0, mirrorBp: 1_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null }, ...rest],
});
const at = (atMs: number, mirrors = false): WeightMove => ({ fromMs: atMs, toMs: atMs, mirrors });

/** The moves that a run knows of after these inputs, stored and read again in between. */
function movesAfter(
  of: typeof mirroring,
  inputs: readonly (readonly [number, RolloutInput])[],
  nowMs: number,
) {
  let state: RolloutState = begin(of, ada, null, 0).state;
  for (const [atMs, input] of inputs) {
    const decision = decide(of, JSON.parse(JSON.stringify(state)) as RolloutState, input, atMs);
    if (!decision.ok) throw new Error(decision.detail);
    state = decision.state;
  }
  if (!isActive(state)) throw new Error(state.phase);
  return knownMoves(of, state, nowMs);
}

const promote = { kind: 'promote', actor: ada, reason: 'go', full: false } as const;
const tick = { kind: 'tick', observation: observed({ mayAdvance: false }) } as const;
const every = (fromMs: number, toMs: number) =>
  Array.from({ length: (toMs - fromMs) / 5_000 }, (_, n) => [fromMs + n * 5_000, tick] as const);

describe('the moves of weights that a run knows of', () => {
  it('are its steps, and no pauses', () => {
    const inputs = [
      ...every(5_000, 20_000),
      [20_000, promote],
      [25_000, { kind: 'pause', actor: ada, reason: 'lunch' }],
      ...every(30_000, 60_000),
      [60_000, { kind: 'resume', actor: ada }],
    ] as const;
    expect(movesAfter(plan(), inputs, 62_000)).toEqual([at(0), at(20_000)]);
    expect(movesAfter(mirroring, inputs, 62_000)).toEqual([at(0, true), at(20_000)]);
  });

  it('may also be in a gap between ticks that outlasts the lease, whatever ends it', () => {
    const gap = { fromMs: 10_000, toMs: 90_000, mirrors: false };
    const before = [[10_000, tick]] as const;
    expect(movesAfter(plan(), before, 40_000)).toEqual([at(0)]);
    expect(movesAfter(plan(), before, 90_000)).toEqual([at(0), gap]);
    expect(movesAfter(plan(), [...before, [90_000, tick]], 91_000)).toEqual([at(0), gap]);
    expect(movesAfter(plan(), [...before, [90_000, promote]], 91_000)).toEqual([at(0), gap, at(90_000)]);
    const paused = [...before, [10_000, { kind: 'pause', actor: ada, reason: 'lunch' }]] as const;
    const resumed = [...paused, [90_000, { kind: 'resume', actor: ada }]] as const;
    expect(movesAfter(plan(), resumed, 91_000)).toEqual([at(0), gap]);
    const keeps = plan({ onOperatorLoss: { afterMs: 30_000, action: 'keep' } });
    expect(movesAfter(keeps, [...before, [90_000, tick]], 91_000)).toEqual([at(0)]);
  });

  it('are few, and those of a day: what is left out is not bet on, or long past', () => {
    let moves: readonly WeightMove[] = [];
    for (let n = 0; n < 500; n += 1) moves = addMove(moves, at(n * 60_000));
    expect(moves.length).toBe(64);
    for (let n = 0; n < 500; n += 1) expect(movedWithin(moves, n * 60_000 - 1, n * 60_000 + 1)).toBe(true);
    expect(addMove(moves, at(500 * 60_000 + 3 * 86_400_000))).toEqual([
      moves.at(-1),
      at(500 * 60_000 + 3 * 86_400_000),
    ]);
  });
});
