/**
 * Bytes that come in pieces and are kept until somebody wants them: what they cost in memory is about their length,
 * however small the pieces are. Knows nothing of what the bytes are.
 * @module
 */

/** Smaller pieces than this are put together, bytes. */
export const SMALL_PIECE_BYTES = 4_096;

/**
 * A piece is mostly a view of what was read from a socket, up to 64 KiB that live as long as the view, and an object of
 * some hundred bytes itself: a body that comes byte by byte would cost hundreds of times what limits allow for it. So of
 * small pieces only the very first is kept as it came; the others are copied behind each other.
 */
export class KeptBytes {
  readonly #parts: Uint8Array[] = [];
  /** What the last part is the beginning of, when that was copied. */
  #slab: Uint8Array | null = null;
  #length = 0;

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /**
   * All bytes in their order, in at most `2 + length / 2048` parts. The last one may be replaced by a longer one with the
   * same beginning.
   */
  get parts(): readonly Uint8Array[] {
    return this.#parts;
  }

  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#length += piece.length;
    const last = this.#parts.at(-1);
    if (last === undefined || piece.length >= SMALL_PIECE_BYTES) {
      this.#parts.push(piece);
      this.#slab = null;
      return;
    }
    const end = last.length + piece.length;
    if (end > SMALL_PIECE_BYTES) {
      const slab = this.#newSlab(piece);
      this.#parts.push(slab.subarray(0, piece.length));
      return;
    }
    const slab = this.#slab ?? this.#newSlab(last);
    slab.set(piece, last.length);
    this.#parts[this.#parts.length - 1] = slab.subarray(0, end);
  }

  /** Drops the first part. */
  shift(): void {
    this.#length -= this.#parts.shift()?.length ?? 0;
  }

  clear(): void {
    this.#parts.length = 0;
    this.#slab = null;
    this.#length = 0;
  }

  /** All of it in one; what came in one piece is not copied. */
  joined(): Uint8Array {
    const [only] = this.#parts;
    return this.#parts.length === 1 && only !== undefined ? only : this.copied();
  }

  /** All of it in memory of just that size, for those that keep it for long. */
  copied(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #newSlab(start: Uint8Array): Uint8Array {
    const slab = new Uint8Array(SMALL_PIECE_BYTES);
    slab.set(start);
    this.#slab = slab;
    return slab;
  }
}
