/** Mirrors, `steps: auto` and segments in one plan: each pair through the real judge and the real state machine. */

import { describe, expect, it } from 'vitest';
import { type MirroredSecond, QUIET_ARM, type Second } from '../../../src/core/analysis/second.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import { tallyOf } from '../../../src/core/analysis/traffic-meter.ts';
import type { Plan, Step } from '../../../src/core/domain/plan.ts';
import type { Transition } from '../../../src/core/domain/rollout-event.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import { canaryWeightBp, isActive, type RolloutState, stepsOf } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { secondOfParts } from '../analysis/parts.ts';
import { autoPlan } from './auto-run.ts';
import { ANA } from './drive.ts';
import { observed, plan, RULE } from './plans.ts';

const DIFFERS = { ...RULE, text: 'differs > 1%', condition: { kind: 'differs', limit: 0.01 } } as const;
const MEASURED = { requestsPerSecond: 1_000, errorRate: 0.005, overMs: 300_000 };
const FOUND: MirroredSecond = {
  canary: { compared: 10, differing: 0 },
  baseline: { compared: 10, differing: 0 },
};

/** A thousand requests a second in two routes; the canary fails so many of a hundred in the smaller one. */
function secondAt(at: number, weightBp: number, failing: number): Second {
  const canary = Math.round(weightBp / 10);
  const few = Math.round(canary / 10);
  const bad = Math.round((few * failing) / 100);
  const rest = 1_000 - canary;
  return secondOfParts(at, {
    segments: {
      'route=cart': { canary: { ok: canary - few }, baseline: { ok: Math.round(rest * 0.9) - 5, bad: 5 } },
      'route=pay': { canary: { ok: few - bad, bad }, baseline: { ok: Math.round(rest * 0.1) } },
    },
  });
}

function run(of: Plan, failing: number): { readonly state: RolloutState; readonly log: Transition[] } {
  const judge = createSequentialJudge(of, emptyMemory(of));
  const begun = begin(of, ANA, null, 0, of.auto ? MEASURED : null);
  const log = [begun.transition];
  let state: RolloutState = begun.state;
  for (let at = 1; at <= 5_000 && isActive(state); at += 1) {
    const weightBp = canaryWeightBp(of, state);
    const mirroring = stepsOf(of, state)[state.step]?.mirrorBp !== undefined;
    const second: Second = {
      ...secondAt(at - 1, weightBp, failing),
      ...(mirroring && { canary: QUIET_ARM, mirrored: FOUND }),
    };
    judge.add(second);
    const samples = of.abort.map(() => null);
    const look = { step: state.step, weightBp, mirroring, revision: 1, stale: false, samples };
    const { checks, proven } = judge.check({ ...look, nowMs: at * 1000 });
    const canaryRequests = mirroring ? 10 : second.canary.total;
    const observation = observed({ checks, proven, canaryRequests, tally: tallyOf([second]) });
    const decision = decide(of, state, { kind: 'tick', observation }, at * 1000);
    if (!decision.ok) throw new Error(decision.detail);
    state = decision.state;
    log.push(...decision.transitions);
  }
  return { state, log };
}

const [first, ...weights] = plan().steps;
const mirrorFirst: readonly Step[] = [
  { ...(first as Step), weightBp: 0, mirrorBp: 1_000, requests: 50 },
  { ...(first as Step), holdMs: 10_000 },
  ...weights,
];
const comparing = { ...RULE, overMs: 300_000, minRequests: 1 };

describe('a plan with', () => {
  it.each<[string, Plan]>([
    ['steps: auto and segments', autoPlan({}, { segmentShare: 0.1 })],
    ['steps: auto and a rule about mirrors', autoPlan({}, { abort: [comparing, DIFFERS] })],
    ['mirrors and segments', plan({ steps: mirrorFirst, abort: [comparing, DIFFERS], segmentShare: 0.1 })],
  ])('%s takes a healthy canary to its end', (_, of) => {
    expect(run(of, 0).state.phase).toBe('promoted');
  });

  it.each<[string, Plan]>([
    ['steps: auto', autoPlan({}, { segmentShare: 0.1 })],
    ['a mirror first', plan({ steps: mirrorFirst, abort: [comparing, DIFFERS], segmentShare: 0.1 })],
  ])('%s and segments aborts a canary that fails in one route, at a weight', (_, of) => {
    const { state, log } = run(of, 30);
    expect(state.phase).toBe('aborted');
    expect(log.at(-1)).toMatchObject({ code: 'RULE' });
    expect(log.at(-1)?.reason).toMatch(/failed: route=pay: canary/);
    expect(log.at(-1)?.weightBeforeBp).toBeGreaterThan(0);
  });
});
