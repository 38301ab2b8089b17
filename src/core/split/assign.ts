/**
 * Sticky key → version: the pure function that every gateway computes alike, without shared state.
 *
 * Two draws per user. The first, seeded by the service alone, parts off the versions that are not under test
 * (none, as a rule); the second, seeded by the split's salt, parts canary from baseline in what remains. So
 * raising the canary's weight moves users from the baseline to the canary and nobody else: for three or more
 * freely moving weights no stateless function can promise that, for one canary it can.
 * @module
 */

import type { SplitDocument } from '../domain/split-document.ts';
import { FULL_BP } from '../domain/weight.ts';
import { murmur3 } from './hash.ts';

const RANGE = 2 ** 32;
/** Keeps the first draw independent of the second when both salts are the same text. */
const BYSTANDER_SEED = 0x5107ce;

/** Compiled once per split document and service, then asked once per request. */
export type Assigner = (stickyKey: string) => string;

/**
 * Compiles a split. `order` lists the service's versions as declared and `serviceSalt` seeds the first draw;
 * both must be the same on every gateway. Versions with weight 0 never get a user.
 */
export function compileAssigner(
  split: SplitDocument,
  order: readonly string[],
  serviceSalt: string,
): Assigner {
  const { baseline, canary, weights } = split;
  const bystanders = order.filter(
    (version) => version !== baseline && version !== canary && (weights[version] ?? 0) > 0,
  );
  const edges = cumulativeEdges(bystanders.map((version) => weights[version] as number));
  const bystanderBp = bystanders.reduce((sum, version) => sum + (weights[version] as number), 0);
  const canaryBp = canary === null ? 0 : (weights[canary] ?? 0);
  const pairBp = FULL_BP - bystanderBp;
  const canaryEdge = pairBp === 0 ? 0 : Math.round((canaryBp / pairBp) * RANGE);
  const pairSeed = murmur3(split.salt, 0);
  const bystanderSeed = murmur3(serviceSalt, BYSTANDER_SEED);

  const assignPair = (stickyKey: string): string =>
    canary !== null && murmur3(stickyKey, pairSeed) < canaryEdge ? canary : baseline;
  if (bystanders.length === 0) return canaryEdge === 0 ? () => baseline : assignPair;
  return (stickyKey) => {
    const draw = murmur3(stickyKey, bystanderSeed);
    for (let i = 0; i < edges.length; i += 1) {
      if (draw < (edges[i] as number)) return bystanders[i] as string;
    }
    return assignPair(stickyKey);
  };
}

function cumulativeEdges(weightsBp: readonly number[]): number[] {
  let sum = 0;
  return weightsBp.map((weightBp) => {
    sum += weightBp;
    return Math.round((sum / FULL_BP) * RANGE);
  });
}
