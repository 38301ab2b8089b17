/**
 * Checks as they are shown and recorded: one for each rule, of all of the traffic or of the segment that matters more.
 * Words and choice only; what is guilty has been decided.
 * @module
 */

import type { Check, Proof, Rule, Verdict } from '../domain/rule.ts';
import { formatEvidence } from './assess.ts';
import type { Account } from './blame.ts';
import type { Look, RuleLook } from './rule-look.ts';
import type { SegmentLook } from './segment-watch.ts';

/**
 * A segment is shown in place of the whole when it alone is guilty, or its limit alone is broken. The summary is
 * worded when somebody reads it.
 */
export function checkOf(
  rule: Rule,
  at: number,
  look: RuleLook,
  segments: readonly SegmentLook[],
  guilty: readonly Account[],
  segmentShare: number,
): Check {
  const blamed = guilty.filter((account) => account.rule === at);
  const whole = blamed.some(({ segment }) => segment === null);
  const worst = worstOf(segments, at, blamed);
  const common = { rule: at, text: rule.text };
  const { proof } = look;
  if (worst === null || whole || (blamed.length === 0 && look.breached)) {
    return {
      ...common,
      verdict: whole ? 'fail' : verdictOf(look),
      breachedSinceMs: look.breachedSinceMs,
      evidence: look.evidence,
      proof,
      get summary() {
        return look.say() + whereabouts(worst, proof) + proofText(look);
      },
    };
  }
  const ofSegment = proof && { ...proof, worse: worst.worse, share: segmentShare };
  return {
    ...common,
    segment: worst.segment,
    verdict: blamed.length > 0 ? 'fail' : 'undecided',
    breachedSinceMs: worst.breachedSinceMs,
    evidence: worst.evidence,
    proof: ofSegment,
    get summary() {
      return worst.say() + proofText({ ...worst, proof: ofSegment, excused: false });
    },
  };
}

/** Of the rule's segments with a broken limit the one with most evidence; a blamed one first. */
function worstOf(
  segments: readonly SegmentLook[],
  at: number,
  blamed: readonly Account[],
): SegmentLook | null {
  const broken = segments.filter(({ rule, breached }) => rule === at && breached);
  const guilty = broken.filter(({ segment }) => blamed.some((account) => account.segment === segment));
  const first = guilty.length > 0 ? guilty : broken;
  return first.reduce<SegmentLook | null>(
    (worst, each) => (each.worse > (worst?.worse ?? 0) ? each : worst),
    null,
  );
}

/** Only where a segment says more than the whole: a large one says the same. */
function whereabouts(worst: SegmentLook | null, proof: Proof | null): string {
  if (worst === null || proof === null || proof.instance !== undefined) return '';
  return worst.worse > proof.worse ? `, most clearly in ${worst.segment}` : '';
}

/** Only where a limit is broken: what the bets make of it. */
function proofText({ breached, evidence, proof, excused }: RuleLook): string {
  if (!breached || proof === null || evidence.kind === 'none') return '';
  if (proof.environment) return ', and so is the baseline';
  const won = formatEvidence(proof.share * proof.worse);
  const said = `; evidence ${won} of ${formatEvidence(proof.needed)} needed`;
  if (proof.instance === undefined) return said;
  const others = excused ? 'the others keep the limit' : 'the limit is broken without it too';
  return `${said}; one instance stands out, ${proof.instance}: ${others}`;
}

function verdictOf({ evidence, enough, breached }: Look): Verdict {
  if (evidence.kind === 'none') return 'no-evidence';
  return enough && !breached ? 'pass' : 'undecided';
}
