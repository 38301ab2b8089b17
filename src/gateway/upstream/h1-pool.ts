/**
 * Connections to one endpoint that speaks HTTP/1.1: undici's pool, and beside it requests with trailers. Knows no
 * request's meaning.
 * @module
 */

import { type Dispatcher, Pool } from 'undici';
import { MAX_TRAILER_CONNECTIONS, MAX_UPSTREAM_HEADER_BYTES, UPSTREAM_KEEP_ALIVE_MS } from '../limits.ts';
import { connectorOf } from './connector.ts';
import { TrailerConnections } from './trailer-connections.ts';
import { TrailerExchange } from './trailer-exchange.ts';
import type { EndpointPlace, PoolStats, UpstreamPool, UpstreamRequest } from './upstream-pool.ts';

const DESTROYED = new Error('the pool was closed');

export class H1Pool implements UpstreamPool {
  readonly #origin: string;
  readonly #pool: Pool;
  /** Requests with trailers that are under way. */
  readonly #own = new Set<TrailerExchange>();
  readonly #ownLimit: number;
  readonly #ownConnections: TrailerConnections;
  #onEmpty: (() => void) | null = null;

  /** `connections`: of both together. */
  constructor({ origin, servername, connectMs, tls, trailers }: EndpointPlace, connections: number) {
    const connect = connectorOf(connectMs, servername, tls);
    this.#origin = origin;
    this.#ownLimit = trailers ? Math.min(MAX_TRAILER_CONNECTIONS, Math.floor(connections / 2)) : 0;
    this.#ownConnections = new TrailerConnections(origin, connect, this.#ownLimit);
    this.#pool = new Pool(origin, {
      connections: connections - this.#ownLimit,
      pipelining: 1,
      connect,
      // Attempts have deadlines of their own on the gateway's wheel.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: UPSTREAM_KEEP_ALIVE_MS,
      maxHeaderSize: MAX_UPSTREAM_HEADER_BYTES,
      strictContentLength: true,
    });
  }

  get stats(): PoolStats {
    const { connected, free, pending } = this.#pool.stats;
    const { open, free: ownFree } = this.#ownConnections;
    return { connected: connected + open, free: free + ownFree, pending };
  }

  dispatch(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    const trailers = request.trailers ?? null;
    // Beyond the limit they go without: a recipient may always drop trailers (RFC 9110 §6.5.2).
    if (trailers === null || this.#own.size >= this.#ownLimit) {
      if (trailers !== null) trailers.fate = 'no_connection';
      this.#pool.dispatch(request, handler);
      return;
    }
    const exchange: TrailerExchange = new TrailerExchange(request, handler, this.#ownConnections, () => {
      this.#own.delete(exchange);
      if (this.#own.size === 0) this.#onEmpty?.();
    });
    this.#own.add(exchange);
    exchange.start(this.#origin, trailers);
  }

  async close(): Promise<void> {
    this.#ownConnections.close();
    await Promise.all([this.#pool.close(), this.#empty()]);
  }

  async destroy(): Promise<void> {
    this.#ownConnections.close();
    for (const exchange of this.#own) exchange.cut(DESTROYED);
    await this.#pool.destroy();
  }

  #empty(): Promise<void> | undefined {
    if (this.#own.size === 0) return undefined;
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
