/**
 * Whether a step is proven: every rule that can prove anything has shown that the canary keeps its limit, and nothing
 * looks wrong. Knows what looks have found; advances nothing.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import { SUSPICION } from './budget.ts';
import { isOutOfPlace } from './mirrored.ts';
import { compares } from './rule-counts.ts';
import type { RuleLook } from './rule-look.ts';
import type { SegmentLook } from './segment-watch.ts';

export function isProven(
  rules: readonly Rule[],
  looks: readonly RuleLook[],
  segments: readonly SegmentLook[],
  weightBp: number,
): boolean {
  if ([...looks, ...segments].some(({ breached }) => breached)) return false;
  let proving = 0;
  let suspicion = 0;
  for (const [at, { proof, evidence }] of looks.entries()) {
    if (proof === null || isOutOfPlace(evidence)) continue;
    if (weightBp === FULL_BP && compares(rules[at] as Rule)) continue;
    proving += 1;
    suspicion += proof.share * proof.worse;
    if (proof.fine < proof.fineNeeded) return false;
  }
  return proving > 0 && suspicion < SUSPICION;
}
