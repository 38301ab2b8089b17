/**
 * Makes every connection of a listener start with a PROXY header from a balancer that may send one, before TLS and
 * HTTP see a byte; others are closed and counted. Also answers who the peer of a socket is.
 * @module
 */

import type { Server as NetServer, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ProxyProtocol } from '../../config/policies/listeners.ts';
import { compileTrust, plainAddress, type TrustCheck } from '../forwarded.ts';
import { parseProxyHeader } from './proxy-header.ts';

/** Why a connection was closed: it came from elsewhere, its header was missing or malformed, or did not come. */
export type ProxyRefusal = 'source' | 'header' | 'timeout';

const told = new WeakMap<Socket, string>();

/** The address of the client at the other end, or of the one that a balancer has named; empty when it is gone. */
export function peerAddressOf(socket: Socket): string {
  return told.get(socket) ?? plainAddress(socket.remoteAddress ?? '');
}

export class ProxyProtocolDoor {
  readonly refused: Record<ProxyRefusal, number> = { source: 0, header: 0, timeout: 0 };
  /** Addresses by the endpoints of their connections: a TLS socket does not say which one it runs on. */
  readonly #byEndpoints = new Map<string, string>();
  readonly #serve: (socket: Socket) => void;
  #isSource: TrustCheck = () => false;
  #timeoutMs = 0;

  /** Takes the place of what serves new connections of `server` now. */
  constructor(server: NetServer, settings: ProxyProtocol) {
    const serving = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#serve = (socket) => {
      for (const each of serving) each.call(server, socket);
    };
    this.use(settings);
    server.on('connection', (socket: Socket) => this.#receive(socket));
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      const source = this.#byEndpoints.get(endpointsOf(socket));
      if (source !== undefined) told.set(socket, source);
    });
  }

  use({ from, timeoutMs }: ProxyProtocol): void {
    this.#isSource = compileTrust(from);
    this.#timeoutMs = timeoutMs;
  }

  #receive(socket: Socket): void {
    socket.once('error', () => socket.destroy());
    if (!this.#isSource(plainAddress(socket.remoteAddress ?? ''))) {
      this.#refuse(socket, 'source');
      return;
    }
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(() => settle('timeout'), this.#timeoutMs);
    const onReadable = (): void => {
      for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) {
        bytes = Buffer.concat([bytes, piece]);
      }
      const header = parseProxyHeader(bytes);
      if (header === 'malformed') {
        settle('header');
      } else if (header !== 'partial') {
        settle(null);
        this.#admit(socket, header.source, bytes.subarray(header.length));
      }
    };
    // A balancer that only looks whether the port is open sends nothing, and nothing is wrong with that.
    const onEnd = (): void => settle(bytes.length > 0 ? 'header' : null, true);
    const settle = (refusal: ProxyRefusal | null, gone = false): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', onClose);
      if (refusal !== null) this.#refuse(socket, refusal);
      else if (gone) socket.destroy();
    };
    const onClose = (): void => settle(null, true);
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  #admit(socket: Socket, source: string | null, rest: Buffer): void {
    if (source !== null) {
      const endpoints = endpointsOf(socket);
      const address = plainAddress(source);
      told.set(socket, address);
      this.#byEndpoints.set(endpoints, address);
      socket.once('close', () => this.#byEndpoints.delete(endpoints));
    }
    if (rest.length > 0) socket.unshift(rest);
    this.#serve(socket);
  }

  #refuse(socket: Socket, refusal: ProxyRefusal): void {
    this.refused[refusal] += 1;
    socket.destroy();
  }
}

function endpointsOf(socket: Socket): string {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
