/**
 * Random choices that are the same with every run of a seed. Knows nothing of what is chosen.
 * @module
 */

export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** Of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** The first one, but for a share of the choices. */
  mostly<T>(list: readonly T[], other = 0.2): T {
    return this.chance(other) ? this.pick(list) : (list[0] as T);
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** The same bytes with one place changed, left out, cut off or said twice. */
  damaged(whole: Buffer): Buffer {
    const at = this.below(whole.length + 1);
    const to = at + this.below(whole.length - at + 1);
    switch (this.below(5)) {
      case 0:
        return Buffer.concat([whole.subarray(0, at), this.bytes(1), whole.subarray(at + 1)]);
      case 1:
        return Buffer.concat([whole.subarray(0, at), this.bytes(1 + this.below(4)), whole.subarray(at)]);
      case 2:
        return Buffer.concat([whole.subarray(0, at), whole.subarray(to)]);
      case 3:
        return whole.subarray(0, at);
      default:
        return Buffer.concat([whole.subarray(0, to), whole.subarray(at)]);
    }
  }

  /** In one piece, in some, or byte by byte. */
  inPieces(whole: Buffer): Buffer[] {
    if (this.chance(0.6) || whole.length < 2) return [whole];
    if (this.chance(0.2) && whole.length <= 600) return Array.from(whole, (byte) => Buffer.from([byte]));
    const at = 1 + this.below(whole.length - 1);
    return [whole.subarray(0, at), ...this.inPieces(whole.subarray(at))];
  }
}
