/**
 * A listening socket, plain or TLS: limits of Node's HTTP server, its connections, and draining.
 * Hands every well-formed request to one function; what never becomes a request is `refusals.ts`.
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ListenerConfig, ListenerLimits, ListenerTls } from '../../config/policies/listeners.ts';
import type { ListenAddress } from '../../config/primitives.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ClientRequest } from '../client.ts';
import { type ExchangeResponse, GatewayResponse } from '../exchange.ts';
import { H2Sessions } from '../http2/h2-sessions.ts';
import { CONNECTIONS_CHECK_MS } from '../limits.ts';
import { acceptUpgrade } from '../upgrade/accept-upgrade.ts';
import { type CertificateState, ListenerCertificates } from './certificates.ts';
import { HeadWatch, http1Heads } from './head-watch.ts';
import { inTurn } from './pipelined.ts';
import { ProxyProtocolDoor, type ProxyRefusal } from './proxy-protocol.ts';
import { type OnRefused, refuseLate, refuseNonRequests } from './refusals.ts';

export type RequestHandler = (request: ClientRequest, response: ExchangeResponse) => void;

export interface BoundAddress extends ListenAddress {
  /** It speaks https. */
  readonly secure: boolean;
}

export interface Listener {
  /** With the port that the system chose. */
  readonly address: BoundAddress;
  readonly facts: ListenerFacts;
  /** Reads what `config` names. Rejects when something cannot be used; what is in force stays. */
  prepare(config: ListenerConfig): Promise<void>;
  /** Shows the certificates of `config`, which was prepared, to new connections. */
  use(config: ListenerConfig): void;
  /** Stops accepting; connections that are open go on. */
  stopAccepting(): void;
  closeIdleConnections(): void;
  /** Closes everything at once. Idempotent. */
  close(): Promise<void>;
}

/** What metrics show of a listener. */
export interface ListenerFacts {
  readonly certificates: () => readonly CertificateState[];
  readonly failedHandshakes: number;
  readonly connections: () => number;
  /** Connections beyond the limit. */
  readonly dropped: () => number;
  /** Connections without the PROXY header that they have to start with; null: they start without. */
  readonly refusedProxies: Readonly<Record<ProxyRefusal, number>> | null;
}

type PlainServer = Server<typeof IncomingMessage, typeof GatewayResponse>;
type SecureServer = TlsServer<typeof IncomingMessage, typeof GatewayResponse>;
type GatewayServer = PlainServer | SecureServer;

export async function openListener(
  config: ListenerConfig,
  serve: RequestHandler,
  onRefused: OnRefused,
  logger: Logger,
): Promise<Listener> {
  const { tls } = config;
  const heads = new HeadWatch(headTimeout(config.limits, tls));
  const serveInTurn = inTurn(serve, onRefused);
  const handle: RequestHandler = (request, response) => {
    heads.headCame(request.socket, request);
    serveInTurn(request, response);
  };
  const certificates = tls === null ? null : await ListenerCertificates.open(tls, logger);
  try {
    const server: GatewayServer =
      tls === null || certificates === null
        ? createServer(httpOptions(config), handle)
        : createSecure(config, tls, certificates, handle);
    const sessions = config.http2 ? new H2Sessions(server, config, heads, serve) : null;
    // Last, so that it comes first.
    const door = config.proxyProtocol && new ProxyProtocolDoor(server, config.proxyProtocol);
    const listener = new OpenListener(server, certificates, sessions, door, heads);
    server.prependListener(tls === null ? 'connection' : 'secureConnection', (socket: Socket) =>
      heads.follow(
        socket,
        http1Heads(socket, () => refuseLate(socket, onRefused)),
      ),
    );
    // Node would drop further fields in silence; the admit stage refuses them, the size limit bounds them.
    server.maxHeadersCount = 0;
    listener.use(config);
    // With these two, Node leaves 100 (Continue) and unknown expectations to the pipeline.
    server.on('checkContinue', handle);
    server.on('checkExpectation', handle);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      heads.leave(request.socket);
      acceptUpgrade(request, socket, head, serve);
    });
    refuseNonRequests(server, onRefused);
    await listener.listen(config.address);
    return listener;
  } catch (error) {
    heads.close();
    certificates?.close();
    throw error;
  }
}

/** Over TLS half of the time is for the handshake. */
function headTimeout({ headersTimeoutMs }: ListenerLimits, tls: ListenerTls | null): number {
  return tls === null ? headersTimeoutMs : headersTimeoutMs / 2;
}

function httpOptions({
  limits,
  tls,
}: ListenerConfig): ServerOptions<typeof IncomingMessage, typeof GatewayResponse> {
  return {
    ServerResponse: GatewayResponse,
    headersTimeout: headTimeout(limits, tls),
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.maxHeaderBytes,
    insecureHTTPParser: false,
    // The admit stage answers with a problem document instead.
    requireHostHeader: false,
    noDelay: true,
  };
}

function createSecure(
  config: ListenerConfig,
  tls: ListenerTls,
  certificates: ListenerCertificates,
  handle: RequestHandler,
): SecureServer {
  const { clientCertificates } = tls;
  const server: SecureServer = createTlsServer(
    {
      ...httpOptions(config),
      ...certificates.defaultOptions(),
      SNICallback: (host, done) => done(null, certificates.contextFor(host)),
      ALPNProtocols: config.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeout: headTimeout(config.limits, tls),
      requestCert: clientCertificates !== null,
      // Where a certificate is optional, a bad one is refused by a stage, with a reason.
      rejectUnauthorized: clientCertificates?.required ?? false,
    },
    handle,
  );
  certificates.onChange = () => server.setSecureContext(certificates.defaultOptions());
  // Node's own would answer a failed handshake in plain text.
  server.removeAllListeners('tlsClientError');
  return server;
}

class OpenListener implements Listener {
  readonly #server: GatewayServer;
  readonly #certificates: ListenerCertificates | null;
  /** Null: HTTP/2 is not spoken. */
  readonly #sessions: H2Sessions | null;
  /** Null: connections start without a PROXY header. */
  readonly #door: ProxyProtocolDoor | null;
  readonly #heads: HeadWatch;
  /** Every accepted connection, also those that are still shaking hands. */
  readonly #sockets = new Set<Socket>();
  #closed: Promise<void> | null = null;
  #failedHandshakes = 0;
  #dropped = 0;
  address: BoundAddress = { host: '', port: 0, secure: false };
  readonly facts: ListenerFacts;

  constructor(
    server: GatewayServer,
    certificates: ListenerCertificates | null,
    sessions: H2Sessions | null,
    door: ProxyProtocolDoor | null,
    heads: HeadWatch,
  ) {
    this.#server = server;
    this.#heads = heads;
    this.#sessions = sessions;
    this.#certificates = certificates;
    this.#door = door;
    const failed = (): number => this.#failedHandshakes;
    this.facts = {
      certificates: () => certificates?.states() ?? [],
      get failedHandshakes() {
        return failed();
      },
      connections: () => this.#sockets.size,
      dropped: () => this.#dropped,
      refusedProxies: door?.refused ?? null,
    };
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('drop', () => {
      this.#dropped += 1;
    });
    server.on('tlsClientError', (_error: Error, socket: Socket) => {
      this.#failedHandshakes += 1;
      socket.destroy();
    });
  }

  async listen({ host, port }: ListenAddress): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // A failing accept (too many open files) must not end the process; the connection is lost, the socket stays.
    server.on('error', () => {});
    const bound = server.address() as AddressInfo; // Listening on TCP, so neither null nor a path.
    this.address = { host: bound.address, port: bound.port, secure: this.#certificates !== null };
  }

  async prepare({ tls }: ListenerConfig): Promise<void> {
    if (tls !== null) await this.#certificates?.prepare(tls);
  }

  use(config: ListenerConfig): void {
    const { tls, proxyProtocol, limits } = config;
    const server = this.#server;
    this.#heads.headMs = headTimeout(limits, tls);
    this.#sessions?.use(config);
    server.maxConnections = limits.maxConnections;
    server.headersTimeout = headTimeout(limits, tls);
    server.requestTimeout = limits.requestTimeoutMs;
    server.keepAliveTimeout = limits.keepAliveMs;
    if (proxyProtocol !== null) this.#door?.use(proxyProtocol);
    if (tls !== null) this.#certificates?.use(tls);
  }

  stopAccepting(): void {
    this.#sessions?.goAway();
    // Node's own close() would also cut idle connections, on which a request may just be on its way.
    this.#closed ??= new Promise((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()));
  }

  closeIdleConnections(): void {
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    // Also ends Node's own connection check.
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    this.#heads.close();
    this.#certificates?.close();
    await this.#closed;
  }
}
