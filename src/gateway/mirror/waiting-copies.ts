/**
 * Room for what mirrors keep of answers that have not ended: bounded in bytes, and not for slow readers to fill for ever.
 * Knows sizes and ages; not whose copies they are.
 * @module
 */

import { SMALL_PIECE_BYTES } from '../../core/policy/kept-bytes.ts';

export interface WaitingCopy {
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  /** Its room is for others now. Called once, when it was dropped already. */
  lose(): void;
}

export interface Room {
  /** Copies of full length that there is room for in any case. */
  readonly max: number;
  /** Of one copy at most, bytes. */
  readonly maxBytes: number;
  /** Copies that have waited longer than this, ms, make way for others. */
  readonly timeoutMs: number;
}

export class WaitingCopies {
  /** What each costs, bytes, in the order in which they began. */
  readonly #costs = new Map<WaitingCopy, number>();
  #bytes = 0;

  /** Bytes, with what even the smallest copy costs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes a copy longer by so many bytes. False: no room, and the copy is dropped. */
  grow(copy: WaitingCopy, bytes: number, { max, maxBytes, timeoutMs }: Room, nowMs: number): boolean {
    const had = this.#costs.get(copy) ?? 0;
    const more = had === 0 ? bytes + SMALL_PIECE_BYTES : bytes;
    const limit = max * (maxBytes + SMALL_PIECE_BYTES);
    while (this.#bytes + more > limit) {
      const [oldest] = this.#costs.keys();
      if (oldest === undefined || oldest === copy || nowMs - oldest.sinceMs <= timeoutMs) {
        this.drop(copy);
        return false;
      }
      this.drop(oldest);
      oldest.lose();
    }
    this.#costs.set(copy, had + more);
    this.#bytes += more;
    return true;
  }

  /** Idempotent. */
  drop(copy: WaitingCopy): void {
    this.#bytes -= this.#costs.get(copy) ?? 0;
    this.#costs.delete(copy);
  }
}
