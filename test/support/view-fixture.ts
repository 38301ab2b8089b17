/**
 * Sound RolloutViews and events for tests of the API and the CLI. Knows nothing of either.
 * @module
 */

import type { RolloutEvent, RolloutEventType } from '../../src/core/domain/rollout-event.ts';
import type { Check } from '../../src/core/domain/rule.ts';
import type { CheckView, RolloutView } from '../../src/core/view/rollout-view.ts';

/** 2026-11-24T12:00:00Z. */
export const NOON = Date.UTC(2026, 10, 24, 12, 0, 0);

const MINUTE = 60_000;

export function readyView(rollout = 'orders-v2'): RolloutView {
  return {
    rollout,
    service: rollout.replace(/-v\d+$/, ''),
    baseline: 'v1',
    canary: 'v2',
    phase: 'ready',
    severity: 'idle',
    word: 'READY',
    sentence: 'Declared and never started.',
    message: null,
    run: 0,
    version: 0,
    step: 0,
    steps: [
      { weightBp: 100, state: 'upcoming', holdMs: 10 * MINUTE, requestsNeeded: 0, gate: null },
      { weightBp: 500, state: 'upcoming', holdMs: 10 * MINUTE, requestsNeeded: 2000, gate: null },
      { weightBp: 1000, state: 'upcoming', holdMs: 30 * MINUTE, requestsNeeded: 0, gate: 'manual' },
      { weightBp: 5000, state: 'upcoming', holdMs: 30 * MINUTE, requestsNeeded: 0, gate: null },
      { weightBp: 10_000, state: 'upcoming', holdMs: 0, requestsNeeded: 0, gate: null },
    ],
    progress: { evidenceMs: 0, requests: 0 },
    weight: { setBp: 0, revision: 0, servedBp: null, canaryRequests: 0, totalRequests: 0 },
    gateways: [],
    evidence: { flowing: false, cause: null, sinceMs: null },
    checks: [
      { ...check(0, '5xx > 2x'), recent: [] },
      { ...check(1, 'p95 > +50%'), recent: [] },
    ],
    startedAtMs: null,
    sinceMs: null,
    remainingMs: 80 * MINUTE,
    events: [],
    nowMs: NOON,
  };
}

export function check(rule: number, text: string): Check {
  return {
    rule,
    text,
    verdict: 'no-evidence',
    breachedSinceMs: null,
    evidence: { kind: 'none', cause: 'not-asked-yet' },
    proof: null,
    summary: 'nothing has been asked yet',
  };
}

/** Third of five steps, one rule failing: what the live view must show best. */
export function holdingView(): RolloutView {
  const ready = readyView();
  const failing: CheckView = {
    rule: 1,
    text: 'p95 > +50%',
    verdict: 'fail',
    breachedSinceMs: NOON - 4 * MINUTE,
    evidence: {
      kind: 'quantile',
      windowMs: 5 * MINUTE,
      quantile: 0.95,
      canary: { total: 2410, valueMs: 287.4 },
      baseline: { total: 21_700, valueMs: 182.2 },
    },
    proof: { worse: 5400, share: 0.5, needed: 100, fine: 0.1, fineNeeded: 100, environment: false },
    summary: 'p95 287ms is over +50% of the baseline’s 182ms',
    recent: [190, 195, 201, 214, null, 230, 251, 270, 280, 287.4],
  };
  const passing: CheckView = {
    rule: 0,
    text: '5xx > 2x',
    verdict: 'pass',
    breachedSinceMs: null,
    evidence: {
      kind: 'rate',
      windowMs: 5 * MINUTE,
      canary: { bad: 6, total: 2410 },
      baseline: { bad: 46, total: 21_700 },
    },
    proof: { worse: 0.34, share: 0.5, needed: 100, fine: 12, fineNeeded: 100, environment: false },
    summary: '5xx 0.25% (6/2410) is within 2x the baseline’s 0.21% (46/21700)',
    recent: [0.003, 0.003, 0.002, 0.004, 0.003, 0.002, 0.002, 0.003, 0.003, 0.002],
  };
  const waiting: CheckView = {
    ...check(2, 'promql: sum(rate(payments_failed_total{version="v2"}[5m])) > 0.5'),
    recent: [],
    threshold: true,
    evidence: { kind: 'none', cause: 'source-down', detail: 'connect ECONNREFUSED' },
  };
  return {
    ...ready,
    phase: 'holding',
    severity: 'active',
    word: 'HOLDING',
    sentence: 'p95 > +50% is breached for 4m of 10m. Aborts in 6m if it stays so.',
    message: 'new pricing engine',
    run: 2,
    version: 41,
    step: 2,
    steps: ready.steps.map((step, index) => ({
      ...step,
      state: index < 2 ? 'done' : index === 2 ? 'current' : 'upcoming',
    })),
    progress: { evidenceMs: 12 * MINUTE, requests: 41_210 },
    weight: { setBp: 1000, revision: 12, servedBp: 998, canaryRequests: 482, totalRequests: 4830 },
    gateways: [
      { name: 'gw-1', revision: 12, state: 'applied', ageMs: 900, current: true },
      { name: 'gw-2', revision: 12, state: 'applied', ageMs: 1200, current: true },
      { name: 'gw-3', revision: 11, state: 'applied', ageMs: 7000, current: false },
    ],
    evidence: { flowing: true, cause: null, sinceMs: null },
    checks: [passing, failing, waiting],
    startedAtMs: NOON - 32 * MINUTE,
    sinceMs: NOON - 12 * MINUTE - 4000,
    remainingMs: null,
    events: [
      event({ sequence: 7, run: 2, type: 'started', step: 0, atMs: NOON - 32 * MINUTE, weights: [0, 100] }),
      event({
        sequence: 8,
        run: 2,
        type: 'advanced',
        step: 1,
        atMs: NOON - 22 * MINUTE,
        weights: [100, 500],
      }),
      event({
        sequence: 9,
        run: 2,
        type: 'advanced',
        step: 2,
        atMs: NOON - 12 * MINUTE,
        weights: [500, 1000],
      }),
    ],
  };
}

export interface EventSeed {
  readonly sequence: number;
  readonly type: RolloutEventType;
  readonly run?: number;
  readonly rollout?: string;
  readonly step?: number;
  readonly atMs?: number;
  /** Before and after, basis points. */
  readonly weights?: readonly [number, number];
  readonly reason?: string;
  /** A person; without it, the operator. */
  readonly by?: string;
}

export function event(seed: EventSeed): RolloutEvent {
  const rollout = seed.rollout ?? 'orders-v2';
  return {
    type: seed.type,
    actor: seed.by === undefined ? { kind: 'operator', name: 'op-1' } : { kind: 'user', name: seed.by },
    code: seed.by === undefined ? 'HOLD_COMPLETE' : 'REQUESTED',
    reason: seed.reason ?? `${seed.type} as the plan says`,
    step: seed.step ?? 0,
    weightBeforeBp: seed.weights?.[0] ?? 0,
    weightAfterBp: seed.weights?.[1] ?? 0,
    evidence: [],
    rollout,
    service: 'orders',
    run: seed.run ?? 1,
    sequence: seed.sequence,
    atMs: seed.atMs ?? NOON,
    baseline: 'v1',
    canary: 'v2',
    prevHash: '',
    hash: `hash-${seed.sequence}`,
  };
}
