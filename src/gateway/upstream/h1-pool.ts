/**
 * Connections to one endpoint that speaks HTTP/1.1: undici's pool, and beside it requests with trailers. Knows no
 * request's meaning.
 * @module
 */

import { type Dispatcher, Pool } from 'undici';
import { MAX_UPSTREAM_HEADER_BYTES, UPSTREAM_KEEP_ALIVE_MS } from '../limits.ts';
import { connectorOf } from './connector.ts';
import { TrailerExchange, type TrailerPlace } from './trailer-exchange.ts';
import type { EndpointPlace, PoolStats, UpstreamPool, UpstreamRequest } from './upstream-pool.ts';

const DESTROYED = new Error('the pool was closed');

export class H1Pool implements UpstreamPool {
  readonly #pool: Pool;
  readonly #place: TrailerPlace;
  readonly #connections: number;
  /** Requests with trailers that are under way, each on a connection of its own. */
  readonly #own = new Set<TrailerExchange>();
  #onEmpty: (() => void) | null = null;

  constructor({ origin, servername, connectMs, tls }: EndpointPlace, connections: number) {
    const connect = connectorOf(connectMs, servername, tls);
    this.#connections = connections;
    this.#place = { origin, connect, maxHeaderBytes: MAX_UPSTREAM_HEADER_BYTES };
    this.#pool = new Pool(origin, {
      connections,
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
    return { connected: connected + this.#own.size, free, pending };
  }

  dispatch(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    const trailers = request.trailers ?? null;
    // Beyond the limit of connections they go without: a recipient may always drop trailers (RFC 9110 §6.5.2).
    if (trailers === null || this.#own.size >= this.#connections) {
      this.#pool.dispatch(request, handler);
      return;
    }
    const exchange: TrailerExchange = new TrailerExchange(request, handler, this.#place, () => {
      this.#own.delete(exchange);
      if (this.#own.size === 0) this.#onEmpty?.();
    });
    this.#own.add(exchange);
    exchange.start(trailers);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#empty()]);
  }

  async destroy(): Promise<void> {
    for (const exchange of this.#own) exchange.abort(DESTROYED);
    await this.#pool.destroy();
  }

  #empty(): Promise<void> | undefined {
    if (this.#own.size === 0) return undefined;
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
