/**
 * Sticky key → mirrored or not: the same pure function on every gateway, by a draw of its own, so that a larger share
 * only ever adds users. Knows nothing of requests.
 * @module
 */

import type { SplitDocument } from '../domain/split-document.ts';
import { FULL_BP } from '../domain/weight.ts';
import { murmur3 } from './hash.ts';

const RANGE = 2 ** 32;
/** Keeps the draw independent of the ones that assign versions. */
const SEED = 0x3177a9;

/** What a split asks to be mirrored, ready to be asked once per request. */
export interface MirrorShare {
  /** Rollout and run; a new one begins anew. */
  readonly run: string;
  /** Whose answers clients get. */
  readonly baseline: string;
  readonly candidate: string;
  readonly chooses: (stickyKey: string) => boolean;
}

/** Null: the split mirrors nothing. */
export function compileMirrorShare({ mirror, baseline, rollout, salt }: SplitDocument): MirrorShare | null {
  if (mirror === undefined) return null;
  const edge = Math.round((mirror.shareBp / FULL_BP) * RANGE);
  const seed = murmur3(salt, SEED);
  return {
    run: rollout ?? '',
    baseline,
    candidate: mirror.version,
    chooses: (stickyKey) => murmur3(stickyKey, seed) < edge,
  };
}
