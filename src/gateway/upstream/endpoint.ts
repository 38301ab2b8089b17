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
}

interface Held extends Endpoint {
  readonly key: string;
  users: number;
}

export class EndpointRegistry {
  readonly #held = new Map<string, Held>();
  readonly #closing = new Set<Promise<void>>();
  readonly monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.monotonicMs = monotonicMs;
  }

  /**
   * The endpoint at `origin`; the pool is made when there is none yet. `connectMs` bounds a connection attempt of
   * the pool itself, so that an address that swallows packets does not hold its slots for longer.
   */
  acquire(origin: string, connectMs: number): Endpoint {
    const key = `${origin} ${connectMs}`;
    const held = this.#held.get(key) ?? { key, origin, pool: openPool(origin, connectMs), users: 0 };
    this.#held.set(key, held);
    held.users += 1;
    return held;
  }

  /** Gives back what `acquire` gave, once each. */
  release(endpoints: readonly Endpoint[]): void {
    for (const held of this.#held.values()) {
      for (const endpoint of endpoints) if (endpoint === held) held.users -= 1;
      if (held.users > 0) continue;
      this.#held.delete(held.key);
      const closing = held.pool.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }

  /** Destroys all pools, whoever uses them. */
  async close(): Promise<void> {
    const pools = [...this.#held.values()].map(({ pool }) => pool.destroy());
    this.#held.clear();
    await Promise.all([...pools, ...this.#closing]);
  }
}

function openPool(origin: string, connectMs: number): Pool {
  return new Pool(origin, {
    connections: MAX_UPSTREAM_CONNECTIONS,
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
