/**
 * What never becomes a request: bytes that Node's parser refuses or that do not come in time.
 * Answers on the bare socket, closes it, and tells what it refused.
 * @module
 */

import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Exchange, GatewayResponse } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { replyProblemOnSocket } from '../problem.ts';
import { randomHex32 } from '../random-ids.ts';
import { endUnframed } from '../refuse-body.ts';
import type { Refusal } from '../refused.ts';
import { owesResponse } from '../upgrade/accept-upgrade.ts';
import { isHeldBack } from './pipelined.ts';
import { peerAddressOf } from './proxy-protocol.ts';

export type OnRefused = (refusal: Refusal) => void;

const CODE_OF_PARSER_ERROR: Readonly<Record<string, GatewayErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_INVALID_TRANSFER_ENCODING: 'BAD_FRAMING',
  HPE_INVALID_CONTENT_LENGTH: 'BAD_FRAMING',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'BAD_FRAMING',
};
/** The client closed its side before the end of its request: it went away, and said nothing wrong. */
const END_OF_INPUT = 'HPE_INVALID_EOF_STATE';

/** Node's parser says it again for whatever comes after. */
const refused = new WeakSet<Duplex>();

export function refuseNonRequests(server: EventEmitter, onRefused: OnRefused): void {
  server.on('connect', (request: IncomingMessage, socket: Duplex) =>
    refuse(socket, 'METHOD_NOT_IMPLEMENTED', request, onRefused),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const code = CODE_OF_PARSER_ERROR[error.code ?? ''] ?? 'MALFORMED_REQUEST';
    // What is not read cannot be late, and what was refused as late is not so twice.
    if (code === 'REQUEST_TIMEOUT' && (isHeldBack(socket) || socket.writableEnded)) return;
    if (refused.has(socket)) return;
    const broken = unfinishedOn(socket);
    if (broken !== null && error.code?.startsWith('HPE_') === true && error.code !== END_OF_INPUT) {
      refused.add(socket);
      endUnframed(broken, code);
      return;
    }
    // Gone, or its request is under way and ends with the connection: nothing else was refused.
    const late = code === 'REQUEST_TIMEOUT' && owesResponse(socket);
    if (error.code === 'ECONNRESET' || late) socket.destroy();
    else refuse(socket, code, null, onRefused);
  });
}

/** The request whose body is on its way, if the connection is busy with it. */
function unfinishedOn(socket: Duplex): Exchange | null {
  const message = '_httpMessage' in socket ? socket._httpMessage : null;
  return message instanceof GatewayResponse && !message.req.complete ? message.exchange : null;
}

/** A request head has not come in time. */
export function refuseLate(socket: Socket, onRefused: OnRefused): void {
  if (!socket.destroyed && !socket.writableEnded) refuse(socket, 'REQUEST_TIMEOUT', null, onRefused);
}

function refuse(
  socket: Duplex,
  code: GatewayErrorCode,
  request: IncomingMessage | null,
  onRefused: OnRefused,
): void {
  refused.add(socket);
  socket.on('error', () => socket.destroy());
  const requestId = randomHex32();
  const peer = socket instanceof Socket ? socket : null;
  const answered = !owesResponse(socket) && socket.writable;
  // A connection that was opened ahead of need and timed out has asked for nothing.
  if (request !== null || code !== 'REQUEST_TIMEOUT' || (peer?.bytesRead ?? 0) > 0) {
    onRefused({
      method: request?.method ?? '',
      clientIp: peer === null ? '' : peerAddressOf(peer),
      requestId,
      code,
      answered,
    });
  }
  if (answered) replyProblemOnSocket(socket, code, requestId);
  else socket.destroy();
}
