/**
 * Random ids from one pool of random bytes, so that an id costs a copy instead of a system call.
 * The only source of randomness of the data plane; knows not what the ids name.
 * @module
 */

import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8_192;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

function take(bytes: number): number {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += bytes;
  return start;
}

/** 32 hex digits (128 random bits): request ids and trace ids. */
export function randomHex32(): string {
  const start = take(16);
  return pool.toString('hex', start, start + 16);
}

/** 16 hex digits (64 random bits): span ids. */
export function randomHex16(): string {
  const start = take(8);
  return pool.toString('hex', start, start + 8);
}

/** 22 characters of base64url (128 random bits): sticky cookies. */
export function randomBase64Url22(): string {
  const start = take(16);
  return pool.toString('base64url', start, start + 16);
}

/** Uniform in [0, 1), for jitter. */
export function randomFraction(): number {
  const start = take(4);
  return pool.readUInt32LE(start) / 2 ** 32;
}
