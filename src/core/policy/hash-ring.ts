/**
 * Places of endpoints on a ring of hashes, by weight, and the way from a key to them. Knows names and weights only.
 * @module
 */

import { murmur3 } from '../split/hash.ts';

/** Points on the ring per unit of weight, at most this many in all. */
const POINTS_PER_WEIGHT = 128;
const MAX_POINTS = 65_536;
const RING_SEED = 0x0ba1a4ce;

/** The hash by which keys and endpoints lie on the ring. */
export function ringHash(key: string): number {
  return murmur3(key, RING_SEED);
}

/** Points in ascending order, and whose they are. */
export interface Ring {
  readonly hashes: Uint32Array;
  readonly owners: Uint16Array;
}

export const NO_RING: Ring = { hashes: new Uint32Array(0), owners: new Uint16Array(0) };

/** Owners are indices into `targets`. */
export function ringOf(targets: readonly { readonly id: string; readonly weight: number }[]): Ring {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  const perWeight = Math.min(POINTS_PER_WEIGHT, MAX_POINTS / weights);
  const points = targets.flatMap(({ id, weight }, owner) =>
    Array.from({ length: Math.max(1, Math.round(weight * perWeight)) }, (_, i) => ({
      hash: ringHash(`${id}#${i}`),
      owner,
    })),
  );
  points.sort((a, b) => a.hash - b.hash || a.owner - b.owner);
  return {
    hashes: Uint32Array.from(points, ({ hash }) => hash),
    owners: Uint16Array.from(points, ({ owner }) => owner),
  };
}

/** Index of the first point at or clockwise after `hash`. */
export function firstAtOrAfter(hashes: Uint32Array, hash: number): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((hashes[middle] as number) < hash) low = middle + 1;
    else high = middle;
  }
  return low === hashes.length ? 0 : low;
}
