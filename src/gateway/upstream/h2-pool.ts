/**
 * HTTP/2 to one endpoint: few sessions with many requests on each, more when those are full. Behaves towards
 * attempts like undici's pool, whose own HTTP/2 sends requests again after a GOAWAY and keeps bodies apart.
 * @module
 */

import { type ClientHttp2Session, connect as connectH2 } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Dispatcher, errors } from 'undici';
import { destroyLater } from '../http2/destroy-later.ts';
import {
  H2_IDLE_MS,
  H2_PING_MS,
  H2_WINDOW_BYTES,
  MAX_H2_STREAMS,
  MAX_UPSTREAM_HEADER_BYTES,
} from '../limits.ts';
import { UpstreamTlsError } from './connector.ts';
import { H2Exchange } from './h2-exchange.ts';
import type { EndpointPlace, PoolStats, UpstreamPool, UpstreamRequest } from './upstream-pool.ts';

/** A session and what is under way on it. */
interface Carrier {
  readonly session: ClientHttp2Session;
  readonly exchanges: Set<H2Exchange>;
}

export class H2Pool implements UpstreamPool {
  readonly #place: EndpointPlace;
  readonly #url: URL;
  readonly #maxSessions: number;
  readonly #carriers = new Set<Carrier>();
  #waiting: H2Exchange[] = [];
  #connecting: Socket | null = null;
  #onIdle: (() => void) | null = null;
  #closing = false;

  constructor(place: EndpointPlace, maxSessions: number) {
    this.#place = place;
    this.#url = new URL(place.origin);
    this.#maxSessions = maxSessions;
  }

  get stats(): PoolStats {
    const free = [...this.#carriers].filter(hasRoom).length;
    return { connected: this.#carriers.size, free, pending: this.#waiting.length };
  }

  dispatch(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    const exchange = new H2Exchange(request, handler, (aborted) => this.#onAbort(aborted));
    if (request.upgrade) {
      exchange.fail(new errors.NotSupportedError('no upgrade over HTTP/2'));
      return;
    }
    this.#waiting.push(exchange);
    this.#pump();
  }

  close(): Promise<void> {
    this.#closing = true;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#pump();
    return idle;
  }

  async destroy(): Promise<void> {
    this.#closing = true;
    this.#connecting?.destroy();
    this.#failWaiting(new Error('the pool is closed'));
    for (const { session } of this.#carriers) session.destroy();
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const carrier = this.#free();
      if (carrier === undefined) break;
      const exchange = this.#waiting.shift();
      if (exchange !== undefined) this.#carry(carrier, exchange);
    }
    if (this.#waiting.length > 0) this.#open();
    else if (this.#closing) this.#closeIdle();
  }

  #free(): Carrier | undefined {
    for (const carrier of this.#carriers) if (hasRoom(carrier)) return carrier;
    return undefined;
  }

  #carry(carrier: Carrier, exchange: H2Exchange): void {
    const { exchanges, session } = carrier;
    exchanges.add(exchange);
    const onClose = (): void => {
      exchanges.delete(exchange);
      this.#pump();
    };
    const { protocol, host } = this.#url;
    try {
      if (!exchange.start(session, protocol.slice(0, -1), host, onClose)) exchanges.delete(exchange);
    } catch (error) {
      exchanges.delete(exchange);
      exchange.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** One at a time: what waits may find room on the one that is on its way. */
  #open(): void {
    if (this.#connecting !== null || this.#carriers.size >= this.#maxSessions) return;
    const socket = this.#connect();
    const secured = this.#place.tls !== null;
    this.#connecting = socket;
    let reached = false;
    const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), this.#place.connectMs);
    let reason: Error | null = null;
    const onError = (error: Error): void => {
      reason = error;
    };
    const onClose = (): void => {
      clearTimeout(timer);
      this.#connecting = null;
      const cause = reason ?? new Error('the connection was closed');
      this.#failWaiting(secured && reached ? new UpstreamTlsError(cause) : cause);
      // Else another try is made when something changes: not at once, or it would be for ever.
      if (this.#closing) this.#pump();
    };
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.once('connect', () => {
      reached = secured;
    });
    socket.once(secured ? 'secureConnect' : 'connect', () => {
      if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
        socket.destroy(Object.assign(new Error('HTTP/2 is not spoken there'), { code: 'NO_HTTP2' }));
        return;
      }
      clearTimeout(timer);
      socket.off('close', onClose);
      this.#connecting = null;
      this.#adopt(socket);
      this.#pump();
    });
  }

  #connect(): Socket {
    const { tls, servername } = this.#place;
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(this.#url.port || (tls === null ? 80 : 443));
    if (tls === null) return connectTcp({ host, port, noDelay: true });
    return connectTls({
      host,
      port,
      // An address is no name to send (RFC 6066 §3); the certificate is then checked against it.
      ...(isIP(servername) === 0 && { servername }),
      secureContext: tls.material.context,
      rejectUnauthorized: tls.verify,
      ALPNProtocols: ['h2'],
    });
  }

  #adopt(socket: Socket): void {
    const session = connectH2(this.#place.origin, {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: H2_WINDOW_BYTES,
        maxHeaderListSize: MAX_UPSTREAM_HEADER_BYTES,
      },
    });
    destroyLater(session);
    const carrier: Carrier = { session, exchanges: new Set() };
    this.#carriers.add(carrier);
    // Its streams tell what it means to them.
    session.on('error', () => {});
    session.on('remoteSettings', () => this.#pump());
    session.on('close', () => {
      this.#carriers.delete(carrier);
      this.#pump();
    });
    session.setTimeout(H2_IDLE_MS, () => {
      if (carrier.exchanges.size === 0) session.close();
    });
    session.unref();
  }

  #failWaiting(error: Error): void {
    // Others may still be served by a session that stands.
    if (!this.#closing && this.#carriers.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) exchange.fail(error);
  }

  /** No answer was waited for any longer: a session that is dead would swallow one request after the other. */
  #onAbort(exchange: H2Exchange): void {
    this.#waiting = this.#waiting.filter((other) => other !== exchange);
    if (exchange.answered) return;
    for (const { session, exchanges } of this.#carriers) {
      if (!exchanges.has(exchange) || session.destroyed) continue;
      const timer = setTimeout(() => session.destroy(), H2_PING_MS);
      timer.unref();
      if (!session.ping(() => clearTimeout(timer))) clearTimeout(timer);
    }
  }

  #closeIdle(): void {
    for (const { session, exchanges } of this.#carriers) {
      if (exchanges.size === 0 && !session.closed) session.close();
    }
    if (this.#carriers.size === 0 && this.#connecting === null) this.#onIdle?.();
  }
}

function hasRoom({ session, exchanges }: Carrier): boolean {
  if (session.closed || session.destroyed) return false;
  return (
    exchanges.size < Math.min(MAX_H2_STREAMS, session.remoteSettings?.maxConcurrentStreams ?? MAX_H2_STREAMS)
  );
}
