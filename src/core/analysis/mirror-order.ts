/**
 * Hands the answers of a mirror over in the order in which they were asked for, whoever answers faster: what is noise by
 * then depends on the past alone, and not on how quick a version is (see `mirror-noise.ts`). Knows no clock: that every
 * answer ends in time, with or without something to compare, is its user's business.
 * @module
 */

import type { MirrorArm } from './mirror-report.ts';

/** Answers that wait for an earlier one; what is asked beyond counts for nobody, which no answer has a say in. */
const MAX_WAITING = 5_000;

/** The place of one answer in the order. */
export interface MirrorTurn {
  readonly arm: MirrorArm;
  /** At which it differs; null: nothing came of it that could be compared; undefined: it is under way. */
  places: readonly string[] | null | undefined;
}

export class MirrorOrder {
  readonly #hear: (arm: MirrorArm, places: readonly string[]) => void;
  /** In order; the first one is under way. */
  readonly #turns = new Set<MirrorTurn>();

  constructor(hear: (arm: MirrorArm, places: readonly string[]) => void) {
    this.#hear = hear;
  }

  /** Call it when somebody is asked, and `end` for each of them. Null: too many wait, the answer will not count. */
  begin(arm: MirrorArm): MirrorTurn | null {
    if (this.#turns.size >= MAX_WAITING) return null;
    const turn: MirrorTurn = { arm, places: undefined };
    this.#turns.add(turn);
    return turn;
  }

  /** `places` null: it does not count. Idempotent. */
  end(turn: MirrorTurn, places: readonly string[] | null): void {
    if (turn.places !== undefined) return;
    turn.places = places;
    for (const first of this.#turns) {
      if (first.places === undefined) return;
      this.#turns.delete(first);
      if (first.places !== null) this.#hear(first.arm, first.places);
    }
  }
}
