/**
 * Requests that a client sends before earlier ones on its connection are answered: each waits for its turn, and only so
 * many may wait. Knows the order of a connection; nothing of what is asked.
 * @module
 */

import type { Socket } from 'node:net';
import type { ClientRequest } from '../client.ts';
import type { ExchangeResponse } from '../exchange.ts';
import { HELD_BACK_REQUESTS, MAX_WAITING_REQUESTS } from '../limits.ts';
import { randomHex32 } from '../random-ids.ts';
import type { Refusal } from '../refused.ts';
import { peerAddressOf } from './proxy-protocol.ts';

type Handle = (request: ClientRequest, response: ExchangeResponse) => void;
type OnRefused = (refusal: Refusal) => void;

/** The requests of one connection that wait. */
interface Waiting {
  count: number;
  /** It is not read from. */
  paused: boolean;
  /** Something of what it was sent meanwhile may not be read yet. */
  behind: boolean;
}

const waitingOn = new WeakMap<object, Waiting>();

/** What this connection does not send is not its client's fault. */
export function isHeldBack(socket: object): boolean {
  return waitingOn.get(socket)?.behind === true;
}

/**
 * `handle` gets a request when the one before it on its connection is answered: RFC 9112 §9.3.2 allows parallel processing
 * of safe methods only, and nobody who cares for speed pipelines.
 *
 * Node parses whatever it has read, up to 64 KiB at a time, and stops reading only for answers that pile up: behind a slow
 * answer there are none, and each request of 18 bytes is over a kilobyte in memory. So reading pauses when some wait, and
 * who has sent too many at once is cut off.
 */
export function inTurn(handle: Handle, onRefused: OnRefused): Handle {
  return (request, response) => {
    if (response.socket !== null) {
      handle(request, response);
      return;
    }
    const { socket } = request;
    // The parser goes on to the end of what was read.
    if (socket.destroyed) return;
    const waiting = waitingOn.get(socket) ?? { count: 0, paused: false, behind: false };
    waitingOn.set(socket, waiting);
    if (waiting.count === MAX_WAITING_REQUESTS) {
      refuseMore(request, onRefused);
      return;
    }
    waiting.count += 1;
    if (waiting.count >= HELD_BACK_REQUESTS && !waiting.paused) holdBack(socket, waiting);
    response.once('socket', () => {
      waiting.count -= 1;
      if (waiting.count <= HELD_BACK_REQUESTS / 2 && waiting.paused) letGo(socket, waiting);
      handle(request, response);
    });
  };
}

function holdBack(socket: Socket, waiting: Waiting): void {
  waiting.paused = true;
  waiting.behind = true;
  // Node reads on at the end of each message that it has parsed, so not before all that was read is parsed.
  setImmediate(() => {
    if (waiting.paused) socket.pause();
  });
}

function letGo(socket: Socket, waiting: Waiting): void {
  waiting.paused = false;
  socket.resume();
  // After the next turn of the event loop in which sockets are read.
  setImmediate(() =>
    setImmediate(() => {
      if (!waiting.paused) waiting.behind = false;
    }),
  );
}

function refuseMore(request: ClientRequest, onRefused: OnRefused): void {
  onRefused({
    method: request.method ?? '',
    clientIp: peerAddressOf(request.socket),
    requestId: randomHex32(),
    code: 'TOO_MANY_WAITING',
    answered: false,
  });
  request.socket.destroy();
}
