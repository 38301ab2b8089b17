/**
 * When weights were moved in a run, or may have been: what counters show of such a time is of no one split. Knows
 * neither the run's phases nor what counters mean.
 * @module
 */

/** Weights were moved at some moment from `fromMs` to `toMs`, epoch milliseconds; a step begins at one moment. */
export interface WeightMove {
  readonly fromMs: number;
  readonly toMs: number;
  /** From then on requests are mirrored: the canary has no traffic of clients, but counts what it is sent. */
  readonly mirrors: boolean;
}

/** Counters of longer ago are not read. */
export const MAX_BEHIND_MS = 86_400_000;
/** Gateways have applied new weights after this long; also what clocks may differ by. */
const APPLY_MS = 5_000;
/** An interval reaches back to the scrapes before it, further than what is read by at most this. */
const REACH_MS = 3_600_000;
/** Of more, the oldest are kept as one that lasts from the first to the second. */
const MAX_MOVES = 64;

/** With what a day has to remember of it, the newest last. */
export function addMove(moves: readonly WeightMove[], move: WeightMove): readonly WeightMove[] {
  const horizonMs = move.toMs - MAX_BEHIND_MS - REACH_MS;
  // The last one before it still says whether requests were mirrored then.
  const first = Math.max(
    0,
    moves.findLastIndex(({ toMs }) => toMs < horizonMs),
  );
  const kept = [...moves.slice(first), move];
  if (kept.length <= MAX_MOVES) return kept;
  const alike = kept.findIndex(({ mirrors }, at) => kept[at + 1]?.mirrors === mirrors);
  const at = Math.max(0, alike);
  const [one, other] = kept.slice(at, at + 2) as [WeightMove, WeightMove];
  return [...kept.slice(0, at), { ...other, fromMs: one.fromMs }, ...kept.slice(at + 2)];
}

/** Whether what happened after `sinceMs`, up to `toMs`, may be of two splits. */
export function movedWithin(moves: readonly WeightMove[], sinceMs: number, toMs: number): boolean {
  return moves.some((each) => sinceMs < each.toMs + APPLY_MS && toMs > each.fromMs - APPLY_MS);
}

/** Whether any of it may be of mirrored requests. */
export function mirroredWithin(moves: readonly WeightMove[], sinceMs: number, toMs: number): boolean {
  return moves.some(({ mirrors, fromMs }, at) => {
    const endMs = moves[at + 1]?.toMs ?? Number.POSITIVE_INFINITY;
    return mirrors && sinceMs < endMs + APPLY_MS && toMs > fromMs - APPLY_MS;
  });
}

/** When the step under way began, epoch milliseconds: 0 where that is longer ago than what is remembered. */
export function stepBeganMs(moves: readonly WeightMove[]): number {
  return moves.findLast(({ fromMs, toMs }) => fromMs === toMs)?.toMs ?? 0;
}
