/**
 * Turns a request to change protocols into one that the pipeline can run like any other: with a response on its
 * socket, and what the client sends meanwhile held back. Knows nothing of policies.
 * @module
 */

import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayResponse } from '../exchange.ts';
import { MAX_EARLY_BYTES } from '../limits.ts';
import type { HeldSocket } from './upgrade-model.ts';

class WaitingSocket implements HeldSocket {
  readonly socket: Socket;
  #early: Buffer[] = [];
  #bytes = 0;
  readonly #onData = (piece: Buffer): void => {
    this.#early.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= MAX_EARLY_BYTES) this.socket.pause();
  };
  /** A client that ends its side before it has an answer has left. */
  readonly #onEnd = (): void => {
    this.socket.destroy();
  };

  constructor(socket: Socket, head: Buffer) {
    this.socket = socket;
    if (head.length > 0) this.#onData(head);
    // Reading on is also how one learns that the client is gone.
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
  }

  take(): readonly Buffer[] {
    this.socket.pause();
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    return this.#early;
  }
}

/** What Node emits for `upgrade` and `connect`; it has let go of the socket. */
export function acceptUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  handle: (request: IncomingMessage, response: GatewayResponse) => void,
): void {
  socket.on('error', () => socket.destroy());
  if (owesResponse(socket) || !(socket instanceof Socket)) {
    socket.destroy();
    return;
  }
  const response = new GatewayResponse(request);
  // Nobody reads a next request from this socket.
  response.shouldKeepAlive = false;
  response.upgrade = new WaitingSocket(socket, head);
  response.assignSocket(socket);
  // The three things that Node's server does for the sockets that it keeps.
  socket.on('drain', () => response.emit('drain'));
  response.on('finish', () => socket.destroySoon());
  handle(request, response);
}

/** An earlier request on this connection waits for its response: an answer now would be taken for that one. */
export function owesResponse(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse;
}
