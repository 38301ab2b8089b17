/**
 * Sluice's judge on a simulated run: one second after another, a look after each, one second behind. Knows when it
 * aborts and when it calls the step proven.
 * @module
 */

import { load } from '../rig/sluice.mjs';
import { FACTORS } from './competitors.mjs';
import { BEFORE_S, secondOf } from './traffic.mjs';

const MINUTE_MS = 60_000;
/** A second is judged when the one after it is over. */
const WATERMARK_S = 2;
/** Seconds of the baseline that fill the windows before the run. */
const RECALLED_S = 300;

export async function loadOurs(dist) {
  const { createSequentialJudge, emptyMemory } = await load(dist, 'core/analysis/sequential-judge.js');
  const { binOf, mergeWires } = await load(dist, 'core/analysis/histogram.js');
  return { createSequentialJudge, emptyMemory, binOf, mergeWires };
}

function rule(text, condition, minRequests) {
  return { text, condition, overMs: 5 * MINUTE_MS, forMs: 0, minRequests, floor: null, source: 'telemetry' };
}

/** Three rules share a budget of 1 %; a run of one step. */
export const PLAN = {
  rollout: 'orders-v2',
  service: 'orders',
  baseline: 'v1',
  canary: 'v2',
  steps: [{ weightBp: 500, holdMs: 30 * MINUTE_MS, minHoldMs: 0, requests: 0, gate: null }],
  abort: [
    rule('5xx > 2x', { kind: 'rate-ratio', factor: FACTORS.errors }, 1),
    rule('p95 > +30%', { kind: 'quantile-ratio', quantile: 0.95, factor: FACTORS.p95 }, 20),
    rule('p99 > +50%', { kind: 'quantile-ratio', quantile: 0.99, factor: FACTORS.p99 }, 100),
  ],
  advance: 'proven',
  falseAbort: 0.01,
  segmentShare: 0.1,
  onNoEvidence: { afterMs: MINUTE_MS, action: 'hold' },
  onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
  schedule: null,
  notify: [],
  salt: 'orders/orders-v2',
  matches: [],
};

/** Second of the abort, or of the first proof of a run that is not aborted. */
export function judgeRun(ours, traffic) {
  const judge = ours.createSequentialJudge(PLAN, ours.emptyMemory(PLAN));
  const samples = PLAN.abort.map(() => null);
  let passedAtS = null;
  for (let s = BEFORE_S - RECALLED_S; s < BEFORE_S; s += 1) judge.recall(secondOf(traffic, s, ours));
  for (let s = BEFORE_S; s < traffic.seconds; s += 1) {
    judge.add(secondOf(traffic, s, ours));
    const nowS = s + WATERMARK_S;
    const weightBp = Math.round(traffic.weights[s] * 10_000);
    const { checks, proven } = judge.check({
      step: 0,
      weightBp,
      revision: 1,
      stale: false,
      samples,
      nowMs: nowS * 1000,
    });
    const failing = checks.find(({ verdict }) => verdict === 'fail');
    if (failing !== undefined) return { abortAtS: nowS, passedAtS: null };
    if (proven) passedAtS ??= nowS;
  }
  return { abortAtS: null, passedAtS };
}
