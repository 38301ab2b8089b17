/** Plans, checks and observations for tests of the state machine. */

import { NO_TRAFFIC } from '../../../src/core/analysis/traffic-meter.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Check, Rule, Verdict } from '../../../src/core/domain/rule.ts';
import type { Observation } from '../../../src/core/rollout/decision.ts';

export const RULE: Rule = {
  text: '5xx > 2x',
  condition: { kind: 'rate-ratio', factor: 2 },
  overMs: 60_000,
  forMs: 0,
  minRequests: 10,
  floor: null,
  source: 'telemetry',
};

export function plan(changes: Partial<Plan> = {}): Plan {
  return {
    rollout: 'orders-v2',
    service: 'orders',
    baseline: 'v1',
    canary: 'v2',
    steps: [100, 500, 1000, 10_000].map((weightBp) => ({
      weightBp,
      holdMs: weightBp === 10_000 ? 0 : 10_000,
      minHoldMs: weightBp === 10_000 ? 0 : 2_000,
      requests: 0,
      gate: null,
    })),
    abort: [RULE],
    advance: 'elapsed',
    falseAbort: 0.01,
    onNoEvidence: { afterMs: 60_000, action: 'hold' },
    onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
    schedule: null,
    notify: [],
    salt: 'orders/orders-v2',
    matches: [],
    ...changes,
  };
}

export function check(verdict: Verdict, breachedSinceMs: number | null = null): Check {
  return {
    rule: 0,
    text: RULE.text,
    verdict,
    breachedSinceMs,
    evidence: {
      kind: 'rate',
      windowMs: 60_000,
      canary: { bad: 5, total: 100 },
      baseline: { bad: 1, total: 1000 },
    },
    proof: null,
    summary: "canary 5% 5xx (5/100) is over 2x the baseline's 0.1% (1/1000)",
  };
}

export function observed(changes: Partial<Observation> = {}): Observation {
  return {
    checks: [check('pass')],
    noEvidence: null,
    applied: true,
    canaryRequests: 10,
    tally: NO_TRAFFIC,
    gate: null,
    proven: false,
    mayAdvance: true,
    ...changes,
  };
}
