/**
 * What attempts and health checks ask of a pool of connections, and what a pool must be told. Knows neither protocol.
 * @module
 */

import type { Dispatcher } from 'undici';
import type { UpstreamProtocol } from '../../config/policies/upstreams.ts';
import type { EndpointTls } from './connector.ts';

/**
 * `too_many`: there were too many of them. `no_connection`: they were left out, all connections for requests with trailers
 * being busy.
 */
export type TrailerFate = 'unsent' | 'passed' | 'too_many' | 'no_connection';

/** Fields that follow a body which is sent in chunks. */
export interface RequestTrailers {
  /** For the `Trailer` field in front of it: the names as the client declared them. */
  readonly declared: string;
  /** What became of them at the last try. */
  fate: TrailerFate;
  /** Name and value of each, when all of the body was read and they are sent; the same at every further try. */
  read(): [string, string][];
}

export type UpstreamRequest = Dispatcher.DispatchOptions & {
  /** Stands for the endpoint in TLS, whatever Host says; undici's types leave it out. */
  readonly servername: string;
  /** What follows the body; undefined or null: nothing. */
  readonly trailers?: RequestTrailers | null;
};

export interface PoolStats {
  /** Open connections. */
  readonly connected: number;
  /** Open ones that could take a request at once. */
  readonly free: number;
  /** Requests that wait for one. */
  readonly pending: number;
}

/** What attempts and health checks ask of a pool. */
export interface UpstreamPool {
  readonly stats: PoolStats;
  dispatch(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): unknown;
  /** What is under way comes to its end. */
  close(): Promise<void>;
  destroy(): Promise<void>;
}

export interface EndpointPlace {
  /** Scheme, host and port. */
  readonly origin: string;
  /** For the Host field, with the port; empty: that of `origin`. */
  readonly host: string;
  /** Name or address that its certificate must be for. */
  readonly servername: string;
  /**
   * Bounds a connection attempt of the pool itself, milliseconds, so that an address that swallows packets does not
   * hold its slots for longer.
   */
  readonly connectMs: number;
  /** Null: not https. */
  readonly tls: EndpointTls | null;
  readonly protocol: UpstreamProtocol;
  /** Requests to it may have trailers. */
  readonly trailers: boolean;
}
