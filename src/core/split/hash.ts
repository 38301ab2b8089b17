/**
 * The hash that assigns users: MurmurHash3 x86 32-bit over UTF-8, chosen because every language has it, so
 * other data planes can agree with Sluice bit by bit.
 * @module
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** MurmurHash3_x86_32 of the UTF-8 bytes of `text`, as an unsigned 32-bit integer. */
export function murmur3(text: string, seed: number): number {
  // One character per byte: ASCII, as sticky keys mostly are, is that already.
  const bytes = isAscii(text) ? text : utf8(text);
  const { length } = bytes;
  const blocksEnd = length - (length % 4);
  let hash = seed | 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    hash ^= scramble(block(bytes, i));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  if (blocksEnd < length) hash ^= scramble(tail(bytes, blocksEnd));
  return finalise(hash ^ length);
}

function block(bytes: string, at: number): number {
  return (
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  );
}

function tail(bytes: string, from: number): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= from; i -= 1) value = (value << 8) | bytes.charCodeAt(i);
  return value;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) > 0x7f) return false;
  }
  return true;
}

/** The UTF-8 bytes of a text as characters 0–255; a lone surrogate becomes U+FFFD, as in any encoder. */
function utf8(text: string): string {
  let bytes = '';
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0) as number;
    if (code < 0x80) bytes += character;
    else if (code < 0x800) bytes += String.fromCharCode(0xc0 | (code >> 6), continuation(code));
    else if (code < 0x10000) {
      bytes += String.fromCharCode(0xe0 | (code >> 12), continuation(code >> 6), continuation(code));
    } else {
      bytes += String.fromCharCode(
        0xf0 | (code >> 18),
        continuation(code >> 12),
        continuation(code >> 6),
        continuation(code),
      );
    }
  }
  return bytes;
}

function continuation(code: number): number {
  return 0x80 | (code & 0x3f);
}

function scramble(value: number): number {
  const mixed = Math.imul(value, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}

function finalise(value: number): number {
  let hash = value;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}
