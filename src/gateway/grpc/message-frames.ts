/**
 * Messages in a gRPC stream: a flag, a length, the bytes. Puts them together from pieces of any size, within a limit.
 * @module
 */

import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { bufferOf } from '../kept-buffer.ts';

const HEAD_BYTES = 5;

export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export class MessageReader {
  readonly #maxBytes: number;
  readonly #onMessage: (message: Buffer) => void;
  readonly #kept = new KeptBytes();
  #wanted = HEAD_BYTES;
  #inHead = true;

  constructor(maxBytes: number, onMessage: (message: Buffer) => void) {
    this.#maxBytes = maxBytes;
    this.#onMessage = onMessage;
  }

  /** No message has been cut off. */
  get atBoundary(): boolean {
    return this.#inHead && this.#kept.length === 0;
  }

  /** False: a message is compressed (nobody asked for that) or too large. */
  feed(piece: Buffer): boolean {
    this.#kept.add(piece);
    while (this.#kept.length >= this.#wanted) {
      const all = bufferOf(this.#kept.joined());
      const part = all.subarray(0, this.#wanted);
      const rest = all.subarray(this.#wanted);
      this.#kept.clear();
      this.#kept.add(rest);
      if (this.#inHead) {
        const length = part.readUInt32BE(1);
        if (part[0] !== 0 || length > this.#maxBytes) return false;
        this.#inHead = false;
        this.#wanted = length;
      } else {
        this.#inHead = true;
        this.#wanted = HEAD_BYTES;
        this.#onMessage(part);
      }
    }
    return true;
  }
}
