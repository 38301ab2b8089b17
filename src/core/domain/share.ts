/**
 * What a canary gets, in words: a share of the users, or none of them but a mirror. One wording for events, CLI and
 * notifications; knows neither rollouts nor layouts.
 * @module
 */

import type { Step } from './plan.ts';
import type { Transition } from './rollout-event.ts';
import { formatBp } from './weight.ts';

/** `mirroring 10%`, or `5%` after `lead`, such as "at ". */
export function describeShare(
  { weightBp, mirrorBp }: Pick<Step, 'weightBp' | 'mirrorBp'>,
  lead = '',
): string {
  return mirrorBp === undefined ? lead + formatBp(weightBp) : `mirroring ${formatBp(mirrorBp)}`;
}

/** The same of what a transition leads to. */
export function shareAfter(
  { weightAfterBp, mirrorBp }: Pick<Transition, 'weightAfterBp' | 'mirrorBp'>,
  lead = '',
): string {
  return describeShare({ weightBp: weightAfterBp, ...(mirrorBp !== undefined && { mirrorBp }) }, lead);
}

/** `1% → 5%`, `5%` where nothing changes, or `mirroring 10%` from then on. */
export function describeMove(
  transition: Pick<Transition, 'weightBeforeBp' | 'weightAfterBp' | 'mirrorBp'>,
  arrow: string,
): string {
  const { weightBeforeBp, weightAfterBp, mirrorBp } = transition;
  const after = shareAfter(transition);
  const moves = mirrorBp === undefined && weightBeforeBp !== weightAfterBp;
  return moves ? `${formatBp(weightBeforeBp)} ${arrow} ${after}` : after;
}
