/**
 * Mirrored answers as the judge counts them: of the canary asked beside the baseline, and of the baseline asked again,
 * as the measure of how answers differ by themselves. Knows counts; how answers are compared is the gateway's business.
 *
 * Whether a mirrored request goes to the canary or to the baseline is a coin that the gateway tosses before anybody
 * answers. So while the canary differs no more than the baseline from itself, each differing answer is the canary's with
 * a probability of `1 - ASKED_AGAIN` at most, whatever the traffic, its clusters and what counts as noise by then.
 * @module
 */

import type { Evidence, Rule } from '../domain/rule.ts';
import type { MirroredCounts, VersionSummary } from '../domain/telemetry.ts';
import { none } from './breach.ts';
import type { SecondCounts } from './e-value.ts';
import { type ArmSecond, type MirroredSecond, QUIET_ARM, type Second, type TimedArms } from './second.ts';

/**
 * Share of a rollout's mirrored requests that the baseline is asked again, 0–1. A half sees a difference with about as
 * few requests as there can be: at a fifth it takes twice as many.
 */
export const ASKED_AGAIN = 0.5;

const NOTHING: MirroredCounts = { compared: 0, differing: 0 };
export const NOTHING_MIRRORED: MirroredSecond = { canary: NOTHING, baseline: NOTHING };

/** What two versions report, added to what is known of the second; undefined while nothing was compared. */
export function addMirrored(
  before: MirroredSecond | undefined,
  canary: VersionSummary | undefined,
  baseline: VersionSummary | undefined,
): MirroredSecond | undefined {
  if (canary?.mirrored === undefined && baseline?.mirrored === undefined) return before;
  return {
    canary: add(before?.canary, canary?.mirrored),
    baseline: add(before?.baseline, baseline?.mirrored),
  };
}

function add(one: MirroredCounts = NOTHING, other: MirroredCounts = NOTHING): MirroredCounts {
  return { compared: one.compared + other.compared, differing: one.differing + other.differing };
}

/** For the bet on a comparison: the coin's odds in the place of requests, so that no second needs both arms. */
export function tossed({ canary, baseline }: MirroredSecond): SecondCounts {
  return {
    canary: 1 - ASKED_AGAIN,
    baseline: ASKED_AGAIN,
    canaryBad: canary.differing,
    baselineBad: baseline.differing,
  };
}

/** The second as windows take it: answers for requests, differences for failures. */
export function asTraffic({ startMs, mirrored }: Pick<Second, 'startMs' | 'mirrored'>): TimedArms {
  if (mirrored === undefined) return { startMs, canary: QUIET_ARM, baseline: QUIET_ARM };
  return { startMs, canary: asArm(mirrored.canary), baseline: asArm(mirrored.baseline) };
}

function asArm({ compared, differing }: MirroredCounts): ArmSecond {
  return { total: compared, bad: differing, distinctBad: differing, seen: compared, latencyUs: [] };
}

/** Rules about mirrored answers have nothing to judge but at a step that mirrors, and rules about traffic nothing there. */
export function outOfPlace({ condition }: Rule, mirroring: boolean): Evidence | null {
  const ofMirrors = condition.kind === 'differs';
  if (ofMirrors && !mirroring) return none('no-mirror', 'nothing is mirrored here');
  if (!ofMirrors && mirroring && condition.kind !== 'promql') {
    return none('mirror-only', 'this step only mirrors: the canary has no traffic');
  }
  return null;
}

/** The rule is no reason to wait, nor to abort: this step is not what it is about. */
export function isOutOfPlace(evidence: Evidence): boolean {
  return evidence.kind === 'none' && (evidence.cause === 'no-mirror' || evidence.cause === 'mirror-only');
}

/** Of a rule that looks in vain. */
export function nothingSeen({ condition }: Rule): Evidence {
  return condition.kind === 'differs'
    ? none('not-mirrored', 'no mirrored answer was compared in the window')
    : none('no-traffic', 'no canary request in the window');
}
