import { NO_SPLIT } from '../../src/core/analysis/split-check.ts';
/**
 * Sample documents for the conformance suites, sound and as small as they may be.
 * @module
 */

import type { RolloutEvent } from '../../src/core/domain/rollout-event.ts';
import type { Acknowledgement, SplitDocument } from '../../src/core/domain/split-document.ts';
import type { TelemetrySummary } from '../../src/core/domain/telemetry.ts';
import type { RolloutRecord } from '../../src/core/rollout/state.ts';

export const systemClock = { nowMs: () => Date.now() };

export function sampleSplit(change: Partial<SplitDocument> = {}): SplitDocument {
  return {
    service: 'orders',
    revision: 1,
    epoch: 1,
    rollout: 'orders-v2#1',
    baseline: 'v1',
    canary: 'v2',
    weights: { v1: 9900, v2: 100 },
    matches: [{ source: { header: 'x-tester' }, equals: 'ja, natürlich "v2"', version: 'v2' }],
    salt: 'orders/orders-v2',
    lease: { ttlMs: 30_000, onExpiry: 'baseline' },
    issuedAtMs: 1_700_000_000_000,
    ...change,
  };
}

export function sampleAcknowledgement(change: Partial<Acknowledgement> = {}): Acknowledgement {
  return {
    gateway: 'gateway-1',
    incarnation: 'a1',
    service: 'orders',
    revision: 1,
    state: 'applied',
    ...change,
  };
}

export function sampleSummary(sequence: number, change: Partial<TelemetrySummary> = {}): TelemetrySummary {
  return {
    gateway: 'gateway-1',
    incarnation: 'a1',
    service: 'orders',
    sequence,
    secondMs: 1_700_000_000_000 + sequence * 1000,
    revision: 1,
    versions: {},
    ...change,
  };
}

/** Version n of a record. */
export function sampleRecord(version: number, change: Partial<RolloutRecord> = {}): RolloutRecord {
  return {
    rollout: 'orders-v2',
    service: 'orders',
    run: 1,
    ordinal: 1,
    plan: {
      rollout: 'orders-v2',
      service: 'orders',
      baseline: 'v1',
      canary: 'v2',
      steps: [{ weightBp: 100, holdMs: 1000, minHoldMs: 0, requests: 0, gate: null }],
      abort: [],
      advance: 'elapsed',
      falseAbort: 0.01,
      onNoEvidence: { afterMs: 60_000, action: 'hold' },
      onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
      schedule: null,
      notify: [],
      salt: 'orders/orders-v2',
      matches: [],
    },
    state: { phase: 'aborted', step: 0, sinceMs: version, reason: 'naïve “canary”' },
    memory: {
      judgedToMs: null,
      step: 0,
      failures: { bad: 0, distinct: 0 },
      split: NO_SPLIT,
      rules: [],
      segments: {},
      instances: { accounts: {}, most: 0, failing: [] },
      checkedAtMs: null,
    },
    message: null,
    startedAtMs: 1,
    version,
    lastSequence: version,
    lastHash: '',
    ...change,
  };
}

export function sampleEvent(sequence: number, change: Partial<RolloutEvent> = {}): RolloutEvent {
  return {
    type: 'advanced',
    actor: { kind: 'operator', name: 'operator-1' },
    code: 'HOLD_COMPLETE',
    reason: `5xx 0.1 % is fine – “step” ${sequence}`,
    step: sequence,
    weightBeforeBp: 0,
    weightAfterBp: 100,
    evidence: [],
    rollout: 'orders-v2',
    service: 'orders',
    run: 1,
    sequence,
    atMs: sequence,
    baseline: 'v1',
    canary: 'v2',
    prevHash: '',
    hash: `hash-${sequence}`,
    ...change,
  };
}
