import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptBytes, SMALL_PIECE_BYTES } from '../../../src/core/policy/kept-bytes.ts';

/** Far more than its piece, as what was read from a socket is. */
const READ_BYTES = 65_536;

const pieces = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 * SMALL_PIECE_BYTES }) },
  ),
  { maxLength: 200 },
);

/** A view of that length, in memory of its own. */
function pieceOf(length: number, first: number): Uint8Array {
  const piece = new Uint8Array(READ_BYTES).subarray(7, 7 + length);
  for (let at = 0; at < length; at += 1) piece[at] = first + at;
  return piece;
}

function keptOf(lengths: readonly number[]): { kept: KeptBytes; given: Uint8Array[]; text: string } {
  const kept = new KeptBytes();
  const given = lengths.map((length, index) => pieceOf(length, index));
  for (const piece of given) kept.add(piece);
  return { kept, given, text: Buffer.concat(given).toString('latin1') };
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('kept bytes', () => {
  it('are what came, whatever the pieces', () => {
    fc.assert(
      fc.property(pieces, (lengths) => {
        const { kept, text } = keptOf(lengths);
        expect(kept.length).toBe(text.length);
        expect(textOf(Buffer.concat(kept.parts))).toBe(text);
        expect(textOf(kept.joined())).toBe(text);
        expect(textOf(kept.copied())).toBe(text);
      }),
    );
  });

  it('hold few parts, and of what small pieces were views of the very first at most', () => {
    fc.assert(
      fc.property(pieces, (lengths) => {
        const { kept, given } = keptOf(lengths);
        expect(kept.parts.length).toBeLessThanOrEqual(2 + (2 * kept.length) / SMALL_PIECE_BYTES);
        const held = new Set(kept.parts.map(({ buffer }) => buffer));
        const small = given.filter(({ length }) => length < SMALL_PIECE_BYTES);
        expect(small.filter(({ buffer }) => held.has(buffer)).length).toBeLessThanOrEqual(1);
        const copies = kept.parts.filter(({ buffer }) => buffer.byteLength <= SMALL_PIECE_BYTES);
        const slabs = copies.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
        expect(slabs).toBeLessThanOrEqual(2 * SMALL_PIECE_BYTES + 2 * kept.length);
      }),
    );
  });

  it('leave a part that somebody has read as it was, and what is shared with the sender too', () => {
    const kept = new KeptBytes();
    const first = pieceOf(3, 65);
    kept.add(first);
    kept.add(pieceOf(1, 68));
    const read = kept.parts[0];
    kept.add(pieceOf(2, 69));
    expect([first, read, kept.joined()].map((bytes) => textOf(bytes ?? first))).toEqual([
      'ABC',
      'ABCD',
      'ABCDEF',
    ]);
    expect(textOf(new Uint8Array(first.buffer, 10, 1))).toBe('\0');
  });

  it('can be taken from the front while more comes', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 5 }), (lengths, every) => {
        const kept = new KeptBytes();
        const given = lengths.map((length, index) => pieceOf(length, index));
        const taken: Uint8Array[] = [];
        for (const [index, piece] of given.entries()) {
          kept.add(piece);
          if (index % every > 0) continue;
          taken.push(...kept.parts.slice(0, 1).map((part) => part.slice()));
          kept.shift();
        }
        expect(textOf(Buffer.concat([...taken, ...kept.parts]))).toBe(textOf(Buffer.concat(given)));
        expect(kept.length).toBe(kept.joined().length);
      }),
    );
  });

  it('are gone once cleared', () => {
    const { kept } = keptOf([5, 5, 5]);
    kept.clear();
    kept.add(pieceOf(1, 65));
    expect([kept.length, textOf(kept.joined())]).toEqual([1, 'A']);
  });
});
