/**
 * What gateways should serve, as a function of a rollout's record alone. The operator compares it with the
 * stored split document on every tick and writes the difference: no weight change depends on being remembered.
 * @module
 */

import { canonical } from '../domain/canonical-json.ts';
import type { SplitDocument } from '../domain/split-document.ts';
import { FULL_BP } from '../domain/weight.ts';
import { canaryWeightBp, isActive, type RolloutRecord, runId, stepsOf } from './state.ts';

/** A split document without what only the writer knows. */
export type DesiredSplit = Omit<SplitDocument, 'revision' | 'epoch' | 'issuedAtMs'>;

export function desiredSplit(record: RolloutRecord): DesiredSplit {
  const { plan, state, service } = record;
  if (isActive(state)) {
    const weightBp = canaryWeightBp(plan, state);
    const shareBp = stepsOf(plan, state)[state.step]?.mirrorBp;
    return {
      service,
      rollout: runId(record),
      baseline: plan.baseline,
      canary: plan.canary,
      weights: { [plan.baseline]: FULL_BP - weightBp, [plan.canary]: weightBp },
      ...(shareBp !== undefined && { mirror: { version: plan.canary, shareBp } }),
      matches: plan.matches,
      salt: plan.salt,
      lease: { ttlMs: plan.onOperatorLoss.afterMs, onExpiry: plan.onOperatorLoss.action },
    };
  }
  const serving = state.phase === 'promoted' ? plan.canary : plan.baseline;
  return {
    service,
    rollout: null,
    baseline: serving,
    canary: null,
    weights: { [serving]: FULL_BP },
    matches: [],
    salt: service,
    lease: null,
  };
}

/** Whether a stored document already says what is desired. */
export function saysSame(stored: SplitDocument, desired: DesiredSplit): boolean {
  const { revision, epoch, issuedAtMs, ...content } = stored;
  return canonical(content) === canonical(desired);
}
