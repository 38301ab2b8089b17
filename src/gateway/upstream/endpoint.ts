/**
 * Endpoints and their connection pools, shared by all versions and configurations that name the same address.
 * Owns the pools; closes one when nobody uses its endpoint any more. Knows nothing of requests.
 * @module
 */

import { MAX_UPSTREAM_CONNECTIONS } from '../limits.ts';
import { H1Pool } from './h1-pool.ts';
import { H2Pool } from './h2-pool.ts';
import type { EndpointPlace, UpstreamPool } from './upstream-pool.ts';

export interface Endpoint {
  readonly origin: string;
  readonly servername: string;
  /** For the Host field; empty: that of `origin`. */
  readonly host: string;
  readonly pool: UpstreamPool;
  /** For health checks: a connection apart from the traffic's. */
  readonly prober: UpstreamPool;
}

/** What is sent to `endpoint`: the same for all but the Host of one that was found under a name. */
export function fieldsFor({ host }: Endpoint, fields: string[]): string[] {
  return host === '' ? fields : ['Host', host, ...fields];
}

class Held implements Endpoint {
  readonly key: string;
  readonly origin: string;
  readonly servername: string;
  readonly host: string;
  readonly pool: UpstreamPool;
  users = 0;
  readonly #place: EndpointPlace;
  #prober: UpstreamPool | null = null;

  constructor(key: string, place: EndpointPlace) {
    this.key = key;
    this.origin = place.origin;
    this.servername = place.servername;
    this.host = place.host;
    this.#place = place;
    this.pool = openPool(place, MAX_UPSTREAM_CONNECTIONS);
  }

  get prober(): UpstreamPool {
    this.#prober ??= openPool(this.#place, 1);
    return this.#prober;
  }

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

  /** The endpoint at that place; the pool is made when there is none yet. */
  acquire(place: EndpointPlace): Endpoint {
    const key = keyOf(place);
    const held = this.#held.get(key) ?? new Held(key, place);
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

function keyOf({ origin, host, servername, connectMs, tls, protocol, trailers }: EndpointPlace): string {
  const trust = tls === null ? '' : `${tls.material.revision} ${tls.verify}`;
  return `${origin} ${host} ${servername} ${connectMs} ${protocol} ${trailers} ${trust}`;
}

function openPool(place: EndpointPlace, connections: number): UpstreamPool {
  return place.protocol === 'h2' ? new H2Pool(place, connections) : new H1Pool(place, connections);
}
