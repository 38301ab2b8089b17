/**
 * Mirrored answers in a recording: one short row for each second that has any. Older recordings have none.
 * @module
 */

import type { Second } from '../analysis/second.ts';

export type MirroredWire = readonly [
  startMs: number,
  canaryCompared: number,
  canaryDiffering: number,
  baselineCompared: number,
  baselineDiffering: number,
];

export function toMirroredWire(seconds: readonly Second[]): readonly MirroredWire[] {
  return seconds.flatMap(({ startMs, mirrored }): MirroredWire[] => {
    if (mirrored === undefined) return [];
    const { canary, baseline } = mirrored;
    return [[startMs, canary.compared, canary.differing, baseline.compared, baseline.differing]];
  });
}

/** The seconds with what was mirrored in them. */
export function withMirrored(
  seconds: readonly Second[],
  rows: readonly MirroredWire[] = [],
): readonly Second[] {
  if (rows.length === 0) return seconds;
  const byStart = new Map(rows.map((row) => [row[0], row]));
  return seconds.map((second) => {
    const row = byStart.get(second.startMs);
    if (row === undefined) return second;
    const canary = { compared: row[1], differing: row[2] };
    const baseline = { compared: row[3], differing: row[4] };
    return { ...second, mirrored: { canary, baseline } };
  });
}
