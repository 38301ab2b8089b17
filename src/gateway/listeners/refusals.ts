/**
 * What never becomes a request: upgrades, and bytes that Node's parser refuses or that do not come in time.
 * Answers on the bare socket and closes it.
 * @module
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayResponse } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { replyProblemOnSocket } from '../problem.ts';

export function refuseUpgrade(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  if (owesResponse(socket)) {
    socket.destroy();
    return;
  }
  replyProblemOnSocket(socket, 'UPGRADE_REFUSED', '');
}

const CODE_OF_PARSER_ERROR: Readonly<Record<string, GatewayErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_INVALID_TRANSFER_ENCODING: 'BAD_FRAMING',
  HPE_INVALID_CONTENT_LENGTH: 'BAD_FRAMING',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'BAD_FRAMING',
};

/** An earlier request on this connection waits for its response: an answer now would be taken for that one. */
function owesResponse(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage instanceof GatewayResponse;
}

/** What could not be parsed never becomes a request. */
export function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || owesResponse(socket)) {
    socket.destroy();
    return;
  }
  replyProblemOnSocket(socket, CODE_OF_PARSER_ERROR[error.code ?? ''] ?? 'MALFORMED_REQUEST', '');
}
