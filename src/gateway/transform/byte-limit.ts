/**
 * Lets bytes through up to a limit. Knows nothing of what they are.
 * @module
 */

import { Transform, type TransformCallback } from 'node:stream';
import { UnreadableBody } from './unreadable-body.ts';

/** Fails with UnreadableBody beyond the limit: a small body that would become a huge one ends there. */
export class ByteLimit extends Transform {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    super();
    this.#maxBytes = maxBytes;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += piece.length;
    if (this.#bytes <= this.#maxBytes) done(null, piece);
    else done(new UnreadableBody('too-large', `it is larger than ${this.#maxBytes} bytes`));
  }
}
