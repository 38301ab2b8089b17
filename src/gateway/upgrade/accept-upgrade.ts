/**
 * Turns a request to change protocols into one that the pipeline can run like any other: with a response on its
 * socket. Knows nothing of policies.
 * @module
 */

import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayResponse } from '../exchange.ts';
import { WaitingClient } from './waiting-client.ts';

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
  response.upgrade = new WaitingClient(socket, head);
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
