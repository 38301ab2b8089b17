/**
 * The hash that assigns users: MurmurHash3 x86 32-bit over UTF-8, chosen because every language has it, so
 * other data planes can agree with Sluice bit by bit.
 * @module
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** MurmurHash3_x86_32 of the UTF-8 bytes of `text`, as an unsigned 32-bit integer. */
export function murmur3(text: string, seed: number): number {
  let hash = seed | 0;
  let block = 0;
  let filled = 0;
  let byteLength = 0;
  const push = (byte: number): void => {
    block |= byte << (filled * 8);
    filled += 1;
    byteLength += 1;
    if (filled === 4) {
      hash ^= scramble(block);
      hash = (hash << 13) | (hash >>> 19);
      hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
      block = 0;
      filled = 0;
    }
  };
  for (let i = 0; i < text.length; i += 1) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      push(code);
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
      code = text.codePointAt(i) as number;
      if (code > 0xffff) i += 1;
      else code = 0xfffd; // A lone surrogate encodes as U+FFFD, as TextEncoder does.
    }
    pushUtf8(code, push);
  }
  if (filled > 0) hash ^= scramble(block);
  return finalise(hash ^ byteLength);
}

function pushUtf8(code: number, push: (byte: number) => void): void {
  if (code < 0x800) {
    push(0xc0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      push(0xe0 | (code >> 12));
    } else {
      push(0xf0 | (code >> 18));
      push(0x80 | ((code >> 12) & 0x3f));
    }
    push(0x80 | ((code >> 6) & 0x3f));
  }
  push(0x80 | (code & 0x3f));
}

function scramble(block: number): number {
  const mixed = Math.imul(block, C1);
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
