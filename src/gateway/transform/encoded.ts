/**
 * Makes the bytes of a body of text that was written in pieces. Knows UTF-8, not what the text is.
 * @module
 */

import type { Sliced } from '../../core/policy/transform/sliced.ts';

/** Of one slice: text that was put together from many small ones takes longest. */
const SLICE_CHARS = 65_536;

export function* encoded(pieces: readonly string[]): Sliced<Buffer> {
  const parts: Buffer[] = [];
  let chars = 0;
  for (const piece of pieces) {
    if (chars >= SLICE_CHARS) {
      chars = 0;
      yield;
    }
    parts.push(Buffer.from(piece));
    chars += piece.length;
  }
  return Buffer.concat(parts);
}
