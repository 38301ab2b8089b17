/**
 * Whether users are split as the weights say: a sequential test of the canary's share among users that are counted
 * once each. A mismatch means that the comparison is not one of equals, whatever its numbers. Pure arithmetic.
 * @module
 */

/** Users who were new in one second, all under the split of one revision. */
export interface SplitSecond {
  readonly revision: number;
  readonly canary: number;
  readonly baseline: number;
}

/** JSON as it is. */
export interface SplitMemory {
  /** What the bets on other shares have won, one part for each. */
  readonly parts: readonly number[];
  /** Users counted under the newest revision. */
  readonly revision: number;
  readonly canary: number;
  readonly baseline: number;
}

/** Odds of the canary that the bets are on, as multiples of the ones that the weight says. */
const ODDS = [0.25, 0.5, 0.7, 0.85, 0.93, 1.08, 1.18, 1.45, 2, 4] as const;
/** Probability of ever calling a right split wrong is one in so many. */
const NEEDED = 1_000;
const MAX_PART = 1e15;

export const NO_SPLIT: SplitMemory = {
  parts: ODDS.map(() => 1 / ODDS.length),
  revision: -1,
  canary: 0,
  baseline: 0,
};

/** Bets one second. `share`: what the weights say for this revision, 0–1. */
export function betSplit(before: SplitMemory, second: SplitSecond, share: number): SplitMemory {
  const { canary, baseline, revision } = second;
  const same = revision === before.revision;
  const counted = {
    revision,
    canary: (same ? before.canary : 0) + canary,
    baseline: (same ? before.baseline : 0) + baseline,
  };
  if (share <= 0 || share >= 1 || canary + baseline === 0) return { ...counted, parts: before.parts };
  const parts = before.parts.map((part, at) => {
    const odds = ((ODDS[at] as number) * share) / (1 - share);
    const other = odds / (1 + odds);
    const log = canary * Math.log(other / share) + baseline * Math.log((1 - other) / (1 - share));
    return Math.min(MAX_PART, part * Math.exp(log));
  });
  return { ...counted, parts };
}

/** One sentence when users are not split as they should be; null otherwise. */
export function splitMismatch(memory: SplitMemory, share: number): string | null {
  const won = memory.parts.reduce((sum, part) => sum + part, 0);
  if (won < NEEDED) return null;
  const { canary, baseline } = memory;
  const seen = ((100 * canary) / Math.max(1, canary + baseline)).toPrecision(3);
  return `the canary gets ${Number(seen)}% of the users (${canary} of ${canary + baseline} sampled), not the ${Number((100 * share).toPrecision(4))}% that are set`;
}
