/**
 * Weights: the share of a service's traffic that a version gets, as integer basis points.
 * Knows nothing of who sets them or how users are assigned.
 * @module
 */

/** All traffic: 10 000 basis points = 100 %. The smallest step is 1 basis point = 0.01 %. */
export const FULL_BP = 10_000;

/** Version → basis points. The values of one service sum to {@link FULL_BP}. */
export type Weights = Readonly<Record<string, number>>;

/**
 * Parses a percentage (`1%`, `0.01 %`, `12.5%`; the sign is required) to basis points.
 * Returns `undefined` when the text is not one, is outside 0–100 %, or is finer than 0.01 %.
 */
export function parsePercentBp(text: string): number | undefined {
  const match = /^(\d{1,3})(?:\.(\d{1,2}))?\s*%$/.exec(text.trim());
  if (!match) return undefined;
  const bp = Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
  return bp <= FULL_BP ? bp : undefined;
}

/** `150` → `1.5%`. */
export function formatBp(weightBp: number): string {
  return `${weightBp / 100}%`;
}

/** Says what is wrong with a set of weights, or `undefined` when they are sound. */
export function weightsProblem(weights: Weights): string | undefined {
  let sum = 0;
  for (const [version, weightBp] of Object.entries(weights)) {
    if (!Number.isInteger(weightBp) || weightBp < 0 || weightBp > FULL_BP) {
      return `weight of ${version} must be an integer from 0 to ${FULL_BP} basis points, got ${weightBp}`;
    }
    sum += weightBp;
  }
  return sum === FULL_BP ? undefined : `weights must sum to ${FULL_BP} basis points, got ${sum}`;
}
