/**
 * Rollout events for notifier tests, one of each kind of evidence.
 * @module
 */

import type { RolloutEvent } from '../../../src/core/domain/rollout-event.ts';
import type { Check } from '../../../src/core/domain/rule.ts';

export const FAILING_RATE: Check = {
  rule: 0,
  text: '5xx > 2x',
  verdict: 'fail',
  breachedSinceMs: 1_795_000_000_000,
  evidence: {
    kind: 'rate',
    windowMs: 300_000,
    canary: { bad: 41, total: 1000 },
    baseline: { bad: 99, total: 19_800 },
    limit: 0.01,
  },
  proof: { worse: 4.2e6, share: 0.5, needed: 100, fine: 1e-9, fineNeeded: 40, environment: false },
  summary: "5xx 4.1% (41/1000) is over 2x the baseline's 0.5% (99/19800)",
};

export const PASSING_QUANTILE: Check = {
  rule: 1,
  text: 'p95 > +50%',
  verdict: 'pass',
  breachedSinceMs: null,
  evidence: {
    kind: 'quantile',
    windowMs: 300_000,
    quantile: 0.95,
    canary: { total: 1000, valueMs: 183.5 },
    baseline: { total: 19_800, valueMs: 180 },
    limitMs: 270,
  },
  proof: null,
  summary: "p95 184ms is within +50% of the baseline's 180ms",
};

export const FAILING_SCALAR: Check = {
  rule: 2,
  text: 'promql: sum(rate(payments_failed_total{version="v2"}[5m])) > 0.5',
  verdict: 'fail',
  breachedSinceMs: 1_795_000_000_000,
  evidence: {
    kind: 'scalar',
    query: 'sum(rate(payments_failed_total{version="v2"}[5m]))',
    value: Number.POSITIVE_INFINITY,
    sampledAtMs: 1_795_000_000_000,
  },
  proof: null,
  summary: 'the query gives +Inf, which is > 0.5',
};

export const SILENT: Check = {
  rule: 3,
  text: 'p99 > 800ms',
  verdict: 'no-evidence',
  breachedSinceMs: null,
  evidence: { kind: 'none', cause: 'source-down', detail: 'connect ECONNREFUSED' },
  proof: null,
  summary: 'Prometheus is down',
};

export const ABORTED: RolloutEvent = {
  type: 'aborted',
  actor: { kind: 'operator', name: 'operator' },
  code: 'RULE',
  reason: 'The rule 5xx > 2x failed at 5%.',
  step: 1,
  weightBeforeBp: 500,
  weightAfterBp: 0,
  evidence: [FAILING_RATE, PASSING_QUANTILE, FAILING_SCALAR, SILENT],
  rollout: 'orders-v2',
  service: 'orders',
  run: 1,
  sequence: 7,
  atMs: 1_795_000_007_123,
  baseline: 'v1',
  canary: 'v2',
  prevHash: 'a'.repeat(64),
  hash: 'b'.repeat(64),
};

export const STARTED: RolloutEvent = {
  ...ABORTED,
  type: 'started',
  actor: { kind: 'user', name: 'mia' },
  code: 'REQUESTED',
  reason: 'Started by mia.',
  step: 0,
  weightBeforeBp: 0,
  weightAfterBp: 100,
  evidence: [],
  sequence: 1,
};
