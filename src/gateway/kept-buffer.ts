/**
 * Bytes of the core in the shape that Node's functions want. Knows nothing of what they are.
 * @module
 */

/** No copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
