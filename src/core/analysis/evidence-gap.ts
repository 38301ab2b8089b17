/**
 * Whether evidence flows right now, and if not, why: no evidence is a typed state, never good news.
 * Knows what the gap means for the rollout as little as what filled the window.
 * @module
 */

import { formatDuration } from '../domain/duration.ts';
import type { Plan } from '../domain/plan.ts';
import type { Check, NoEvidenceCause } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import {
  type Bucket,
  type EvidenceWindow,
  recentBuckets,
  sumArm,
  sumCompared,
  sumRefused,
} from './evidence-window.ts';
import { isOutOfPlace } from './mirrored.ts';

/** Gateways report every second; silence of this length means that none is heard. */
export const STALE_AFTER_MS = 5_000;
const QUIET_MIN_MS = 5_000;
const QUIET_MAX_MS = 60_000;

export interface GapInput {
  readonly plan: Plan;
  readonly weightBp: number;
  /** The step only mirrors: comparisons are its evidence, and only rules about them can miss any. */
  readonly mirroring?: boolean;
  /** Hold of the current step, milliseconds. */
  readonly holdMs: number;
  readonly window: EvidenceWindow;
  /** Since the newest summary arrived, milliseconds by the operator's clock; null: none ever did. */
  readonly silentMs: number | null;
  /** Gateways that serve the service but have not reported for a while. */
  readonly silentGateways: readonly string[];
  /** Summaries found missing since the last look. */
  readonly lostNow: number;
  readonly checks: readonly Check[];
}

export interface EvidenceGap {
  readonly cause: NoEvidenceCause;
  readonly detail: string;
}

export function isStale(silentMs: number | null): boolean {
  return silentMs === null || silentMs > STALE_AFTER_MS;
}

/** The most basic reason why time should not count now, or null when evidence flows. */
export function evidenceGap(input: GapInput): EvidenceGap | null {
  const { plan, weightBp, window, silentMs, checks } = input;
  if (silentMs === null) return { cause: 'stale', detail: 'no gateway has reported yet' };
  if (isStale(silentMs))
    return { cause: 'stale', detail: `no gateway has reported for ${formatDuration(silentMs)}` };
  if (input.silentGateways.length > 0) {
    const verbs =
      input.silentGateways.length === 1 ? 'serves but does not report' : 'serve but do not report';
    return { cause: 'partial', detail: `${input.silentGateways.join(', ')} ${verbs}` };
  }
  if (input.lostNow > 0) return { cause: 'lost', detail: `${input.lostNow} telemetry summaries were lost` };
  // Half the hold, so that a short step notices silence while it lasts; a minute at most.
  const quietMs = Math.min(QUIET_MAX_MS, Math.max(QUIET_MIN_MS, input.holdMs / 2));
  const buckets = recentBuckets(window, quietMs);
  if (input.mirroring === true) return mirrorGap(plan, buckets, quietMs, checks);
  // What a failing version still gets is the few attempts that its breaker lets through: no sample of its traffic.
  // Those count against it in the rules; the time meanwhile must not count for it (nor for a canary whose
  // baseline is cut off). Before "no traffic", which would be the same thing with a worse explanation.
  for (const version of weightBp < FULL_BP ? [plan.canary, plan.baseline] : [plan.canary]) {
    const refused = sumRefused(buckets, version);
    if (refused === 0) continue;
    const since = `in the last ${formatDuration(quietMs)}`;
    const detail = `${refused} requests for ${version} were not sent ${since}: a circuit breaker or an adaptive limit refused them, or no endpoint was known`;
    return { cause: 'breaker-open', detail };
  }
  if (sumArm(buckets, plan.canary).seen === 0) {
    return { cause: 'no-traffic', detail: `no canary request in the last ${formatDuration(quietMs)}` };
  }
  const compares = plan.abort.some(
    ({ condition }) => condition.kind === 'rate-ratio' || condition.kind === 'quantile-ratio',
  );
  if (compares && weightBp < FULL_BP && sumArm(buckets, plan.baseline).seen === 0) {
    return { cause: 'no-baseline', detail: `no baseline request in the last ${formatDuration(quietMs)}` };
  }
  for (const { verdict, evidence, text } of checks) {
    if (verdict !== 'no-evidence' || evidence.kind !== 'none' || isOutOfPlace(evidence)) continue;
    if (weightBp === FULL_BP && evidence.cause === 'no-baseline') continue;
    return { cause: evidence.cause, detail: `rule "${text}": ${evidence.detail ?? evidence.cause}` };
  }
  return null;
}

function mirrorGap(
  plan: Plan,
  buckets: readonly Bucket[],
  quietMs: number,
  checks: readonly Check[],
): EvidenceGap | null {
  for (const version of [plan.canary, plan.baseline]) {
    if (sumCompared(buckets, version) > 0) continue;
    const within = `in the last ${formatDuration(quietMs)}`;
    return { cause: 'not-mirrored', detail: `no mirrored answer of ${version} was compared ${within}` };
  }
  for (const { rule, evidence, text } of checks) {
    if (evidence.kind !== 'none' || plan.abort[rule]?.condition.kind !== 'differs') continue;
    return { cause: evidence.cause, detail: `rule "${text}": ${evidence.detail ?? evidence.cause}` };
  }
  return null;
}
