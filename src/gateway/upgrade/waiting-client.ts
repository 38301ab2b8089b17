/**
 * The client's side of a change of protocols until there is an upstream's: what it sends meanwhile is held back. Knows a
 * connection, or a stream of one; nothing of policies.
 * @module
 */

import type { Duplex } from 'node:stream';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { bufferOf } from '../kept-buffer.ts';
import { MAX_EARLY_BYTES } from '../limits.ts';
import type { HeldSocket } from './upgrade-model.ts';

export class WaitingClient implements HeldSocket {
  readonly socket: Duplex;
  readonly reset: () => void;
  readonly #early = new KeptBytes();
  readonly #onData = (piece: Buffer): void => {
    this.#early.add(piece);
    if (this.#early.length >= MAX_EARLY_BYTES) this.socket.pause();
  };
  /** A client that ends its side before it has an answer has left. */
  readonly #onEnd = (): void => {
    this.reset();
  };

  /** `head`: what has come already. */
  constructor(
    socket: Duplex,
    head: Buffer,
    reset = (): void => {
      socket.destroy();
    },
  ) {
    this.socket = socket;
    this.reset = reset;
    if (head.length > 0) this.#onData(head);
    // Reading on is also how one learns that the client is gone.
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
  }

  take(): Buffer {
    this.socket.pause();
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    return bufferOf(this.#early.joined());
  }
}
