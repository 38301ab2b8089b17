/**
 * Endpoints and their connection pools, shared by all versions and configurations that name the same address.
 * Owns the pools; closes one when nobody uses its endpoint any more. Knows nothing of requests.
 * @module
 */

import { Pool } from 'undici';
import { MAX_UPSTREAM_CONNECTIONS, MAX_UPSTREAM_HEADER_BYTES, UPSTREAM_KEEP_ALIVE_MS } from '../limits.ts';

export interface Endpoint {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly pool: Pool;
  /** For health checks: a connection apart from the traffic's. */
  readonly prober: Pool;
}

class Held implements Endpoint {
  readonly key: string;
  readonly origin: string;
  readonly pool: Pool;
  users = 0;
  readonly #connectMs: number;
  #prober: Pool | null = null;

  constructor(key: string, origin: string, connectMs: number) {
    this.key = key;
    this.origin = origin;
    this.#connectMs = connectMs;
    this.pool = openPool(origin, connectMs, MAX_UPSTREAM_CONNECTIONS);
  }

  get prober(): Pool {
    this.#prober ??= openPool(this.origin, this.#connectMs, 1);
    return this.#prober;
  }

  /** What is under way comes to its end. */
  async close(): Promise<void> {
    await Promise.all([this.pool.close(), this.#prober?.destroy()]);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.pool.destroy(), this.#prober?.destroy()]);
  }
}

export class EndpointRegistry {
  readonly #held = new Map<string, Held>();
  readonly #closing = new Map<Held, Promise<void>>();

  /**
   * The endpoint at `origin`; the pool is made when there is none yet. `connectMs` bounds a connection attempt of
   * the pool itself, so that an address that swallows packets does not hold its slots for longer.
   */
  acquire(origin: string, connectMs: number): Endpoint {
    const key = `${origin} ${connectMs}`;
    const held = this.#held.get(key) ?? new Held(key, origin, connectMs);
    this.#held.set(key, held);
    held.users += 1;
    return held;
  }

  /** Gives back what `acquire` gave, once each. The last one closes the pool when its attempts have ended. */
  release(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      if (!(endpoint instanceof Held)) continue;
      endpoint.users -= 1;
      if (endpoint.users > 0 || this.#held.get(endpoint.key) !== endpoint) continue;
      this.#held.delete(endpoint.key);
      const closing = endpoint.close().finally(() => this.#closing.delete(endpoint));
      this.#closing.set(endpoint, closing);
    }
  }

  /** Destroys all pools, whoever uses them. */
  async close(): Promise<void> {
    const open = [...this.#held.values(), ...this.#closing.keys()];
    this.#held.clear();
    await Promise.all([...open.map((held) => held.destroy()), ...this.#closing.values()]);
  }
}

function openPool(origin: string, connectMs: number, connections: number): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    connect: { timeout: connectMs },
    // Attempts have deadlines of their own on the gateway's wheel.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: UPSTREAM_KEEP_ALIVE_MS,
    maxHeaderSize: MAX_UPSTREAM_HEADER_BYTES,
    strictContentLength: true,
  });
}
