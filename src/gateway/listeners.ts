/**
 * The listening sockets: limits of Node's HTTP server, the events that bypass the pipeline, and draining.
 * Knows connections; hands every well-formed request to one function.
 * @module
 */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ListenAddress } from '../config/primitives.ts';
import { GatewayResponse } from './exchange.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import {
  CONNECTIONS_CHECK_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_CONNECTIONS,
  MAX_HEADER_BYTES,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';
import { replyProblemOnSocket } from './problem.ts';

export type RequestHandler = (request: IncomingMessage, response: GatewayResponse) => void;

export interface Listener {
  /** With the port that the system chose. */
  readonly address: ListenAddress;
  /** Stops accepting; connections that are open go on. */
  stopAccepting(): void;
  closeIdleConnections(): void;
  /** Closes everything at once. Idempotent. */
  close(): Promise<void>;
}

type GatewayServer = Server<typeof IncomingMessage, typeof GatewayResponse>;

export async function openListener(address: ListenAddress, handle: RequestHandler): Promise<Listener> {
  const server: GatewayServer = createServer(
    {
      ServerResponse: GatewayResponse,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      // The admit stage answers with a problem document instead.
      requireHostHeader: false,
      noDelay: true,
    },
    handle,
  );
  // Node would drop further fields in silence; the admit stage refuses them, the size limit bounds them.
  server.maxHeadersCount = 0;
  server.maxConnections = MAX_CONNECTIONS;
  // With these two, Node leaves 100 (Continue) and unknown expectations to the pipeline.
  server.on('checkContinue', handle);
  server.on('checkExpectation', handle);
  server.on('upgrade', refuseUpgrade);
  server.on('connect', refuseUpgrade);
  server.on('clientError', onClientError);
  await listen(server, address);
  return ownListener(server);
}

function listen(server: NetServer, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function ownListener(server: GatewayServer): Listener {
  const bound = server.address() as AddressInfo; // Listening on TCP, so neither null nor a path.
  // A failing accept (too many open files) must not end the process; the connection is lost, the socket stays.
  server.on('error', () => {});
  let closed: Promise<void> | null = null;
  const stopAccepting = (): Promise<void> => {
    // Node's own close() would also cut idle connections, on which a request may just be on its way.
    closed ??= new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
    return closed;
  };
  return {
    address: { host: bound.address, port: bound.port },
    stopAccepting() {
      void stopAccepting();
    },
    closeIdleConnections: () => server.closeIdleConnections(),
    close() {
      const done = stopAccepting();
      // Also ends Node's own connection check.
      server.close();
      server.closeAllConnections();
      return done;
    },
  };
}

function refuseUpgrade(_request: IncomingMessage, socket: Duplex): void {
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
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || owesResponse(socket)) {
    socket.destroy();
    return;
  }
  replyProblemOnSocket(socket, CODE_OF_PARSER_ERROR[error.code ?? ''] ?? 'MALFORMED_REQUEST', '');
}
