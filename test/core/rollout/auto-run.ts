/** Whole runs of `steps: auto` against simulated traffic, second by second: the real judge and the real state machine. */

import { DEFAULT_BOUNDS, longestRamp } from '../../../src/core/analysis/ramp.ts';
import type { Second } from '../../../src/core/analysis/second.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import { tallyOf } from '../../../src/core/analysis/traffic-meter.ts';
import type { AutoBounds, Plan } from '../../../src/core/domain/plan.ts';
import type { Transition } from '../../../src/core/domain/rollout-event.ts';
import { FULL_BP } from '../../../src/core/domain/weight.ts';
import type { MeasuredBefore } from '../../../src/core/rollout/auto-ramp.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import { canaryWeightBp, isActive, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { ANA } from './drive.ts';
import { observed, plan, RULE } from './plans.ts';

export function autoPlan(bounds: Partial<AutoBounds> = {}, changes: Partial<Plan> = {}): Plan {
  const auto: AutoBounds = { ...DEFAULT_BOUNDS, budget: 50, regression: 2.5, ...bounds };
  const steps = longestRamp(auto).map((weightBp) => ({
    weightBp,
    holdMs: weightBp === FULL_BP ? 0 : auto.minHoldMs,
    minHoldMs: 0,
    requests: 0,
    gate: null,
  }));
  return plan({ auto, steps, abort: [{ ...RULE, overMs: 300_000, minRequests: 1 }], ...changes });
}

export interface Traffic {
  /** In a second from 1; rates are shares of requests that fail. */
  readonly requestsPerSecond: (second: number) => number;
  readonly baseline: number;
  readonly canary: number;
}

export interface AutoRun {
  readonly state: RolloutState;
  readonly log: readonly Transition[];
  readonly seconds: number;
  /** Requests that the canary failed. */
  readonly failed: number;
}

/** Until it ends or pauses, or `maxSeconds`. `measured` null: nothing was known before. */
export function runAuto(
  of: Plan,
  traffic: Traffic,
  random: () => number,
  { measured = null, maxSeconds = 20_000 }: { measured?: MeasuredBefore | null; maxSeconds?: number } = {},
): AutoRun {
  const judge = createSequentialJudge(of, emptyMemory(of));
  const begun = begin(of, ANA, null, 0, measured);
  const log = [begun.transition];
  let state: RolloutState = begun.state;
  let failed = 0;
  for (let at = 1; at <= maxSeconds; at += 1) {
    const weightBp = canaryWeightBp(of, state);
    const second = secondOf(at, weightBp, traffic, random);
    failed += second.canary.bad;
    judge.add(second);
    const { checks, proven } = judge.check({
      step: state.step,
      weightBp,
      revision: 1,
      stale: false,
      samples: of.abort.map(() => null),
      nowMs: at * 1000,
    });
    const canaryRequests = second.canary.total;
    const observation = observed({ checks, proven, canaryRequests, tally: tallyOf([second]) });
    // The state goes through JSON, as a store would have it: nothing may depend on more than that.
    const stored = JSON.parse(JSON.stringify(state)) as RolloutState;
    const decision = decide(of, stored, { kind: 'tick', observation }, at * 1000);
    if (!decision.ok) throw new Error(decision.detail);
    state = decision.state;
    log.push(...decision.transitions);
    if (!isActive(state) || state.phase === 'paused') return { state, log, seconds: at, failed };
  }
  return { state, log, seconds: maxSeconds, failed };
}

export function secondOf(at: number, weightBp: number, traffic: Traffic, random: () => number): Second {
  const mean = traffic.requestsPerSecond(at);
  const total = Math.floor(mean) + (random() < mean % 1 ? 1 : 0);
  const canary = binomial(total, weightBp / FULL_BP, random);
  const arm = (requests: number, rate: number) => {
    const bad = binomial(requests, rate, random);
    return { total: requests, bad, distinctBad: bad, seen: requests, latencyUs: [] };
  };
  return {
    startMs: (at - 1) * 1000,
    canary: arm(canary, traffic.canary),
    baseline: arm(total - canary, traffic.baseline),
  };
}

/** By waiting times between successes: quick where they are rare, exact everywhere. */
function binomial(count: number, probability: number, random: () => number): number {
  if (probability <= 0) return 0;
  if (probability >= 1) return count;
  if (probability > 0.5) return count - binomial(count, 1 - probability, random);
  const scale = Math.log(1 - probability);
  let found = -1;
  for (let at = -1; at < count; found += 1) at += 1 + Math.floor(Math.log(1 - random()) / scale);
  return found;
}

/** A seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
