/**
 * A change of protocols as the exchange knows it: before there is an upstream's side, and after. Shapes only.
 * @module
 */

import type { Duplex } from 'node:stream';
import type { TunnelEnd } from './tunnel-metrics.ts';

/** The client's side of a change of protocols, until there is an upstream's. */
export interface HeldSocket {
  readonly socket: Duplex;
  /** Ends it as broken off. */
  readonly reset: () => void;
  /** Hands over what has come so far, and the socket, paused, with nobody listening to its data. */
  take(): Buffer;
}

/** What is known of a connection whose protocol was changed. */
export interface RunningTunnel {
  /** Null: it goes on. */
  readonly end: TunnelEnd | null;
  /** From the client. */
  readonly bytesIn: number;
}
