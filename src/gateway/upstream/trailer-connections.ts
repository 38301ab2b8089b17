/**
 * Connections to one endpoint for requests with trailers: opened when none is idle, kept for the next such request
 * like those of the pool. Knows sockets; of requests only when they let go of one.
 * @module
 */

import { Agent, type ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { buildConnector } from 'undici';
import { UPSTREAM_KEEP_ALIVE_MS } from '../limits.ts';

type OnConnected = (error: Error | null, socket: Duplex) => void;

export class TrailerConnections extends Agent {
  readonly #origin: URL;
  readonly #connect: buildConnector.connector;
  #closing = false;
  /** Connections that stand, in use or idle. */
  open = 0;

  /** `idleMs`: how long a connection may wait for a request. */
  constructor(
    origin: string,
    connect: buildConnector.connector,
    limit: number,
    idleMs = UPSTREAM_KEEP_ALIVE_MS,
  ) {
    super({ keepAlive: true, scheduling: 'lifo', timeout: idleMs, maxFreeSockets: limit });
    this.#origin = new URL(origin);
    this.#connect = connect;
  }

  get #idle(): Duplex[] {
    return Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []);
  }

  /** Those that a request could have at once. */
  get free(): number {
    return this.#idle.length;
  }

  /** Whatever is idle ends now, the others with their requests. */
  close(): void {
    this.#closing = true;
    for (const socket of this.#idle) socket.destroy();
  }

  override createConnection(_options: unknown, done?: OnConnected): undefined {
    const { protocol, host, hostname, port } = this.#origin;
    this.#connect({ protocol, host, hostname, port }, (error, socket) => {
      if (error !== null) {
        // Node looks at the error first.
        done?.(error, null as never);
        return;
      }
      this.open += 1;
      socket.once('close', () => {
        this.open -= 1;
      });
      done?.(null, socket);
    });
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // False where the server would close it too soon (the types say that it returns nothing).
    const safe: unknown = super.keepSocketAlive(socket);
    if (this.#closing || safe === false) return false;
    // What comes unasked would be taken for the answer to the next request.
    socket.on('data', cutOff);
    return true;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off('data', cutOff);
    super.reuseSocket(socket, request);
  }
}

function cutOff(this: Duplex): void {
  this.destroy();
}
