/**
 * Opens connections to endpoints: plain, or TLS with the configured authorities, certificate and name. Says whether
 * a failure was one of TLS. Knows no requests; in particular no client has a say in the name that is verified.
 * @module
 */

import { isIP } from 'node:net';
import { buildConnector, errors } from 'undici';
import type { TlsMaterial } from './tls-files.ts';

export interface EndpointTls {
  readonly material: TlsMaterial;
  readonly verify: boolean;
}

/** The connection stood, but the two sides do not trust or understand each other. `code` says why. */
export class UpstreamTlsError extends Error {
  readonly code: string;

  constructor(cause: Error) {
    super(cause.message, { cause });
    this.code = 'code' in cause ? String(cause.code) : 'TLS';
  }
}

/** `connectMs` bounds everything until the connection can be used. `servername` may be an address. */
export function connectorOf(
  connectMs: number,
  servername: string,
  tls: EndpointTls | null,
): buildConnector.connector {
  if (tls === null) return buildConnector({ timeout: connectMs });
  const open = buildConnector({
    timeout: connectMs,
    secureContext: tls.material.context,
    rejectUnauthorized: tls.verify,
  });
  // An address is no name to send (RFC 6066 §3); the certificate is then checked against it.
  const name = isIP(servername) === 0 ? servername : '';
  return (options, done) => {
    let reached = false;
    const socket: unknown = open({ ...options, servername: name }, (error, connected) => {
      if (error === null) done(null, connected);
      else done(reached && !isTimeout(error) ? new UpstreamTlsError(error) : error, null);
    });
    if (isSocket(socket)) {
      socket.once('connect', () => {
        reached = true;
      });
    }
  };
}

function isTimeout(error: Error): boolean {
  return 'code' in error && error.code === 'UND_ERR_CONNECT_TIMEOUT';
}

interface Connecting {
  once(event: 'connect', listener: () => void): unknown;
}

/** undici's connector returns its socket, though its types do not say so. */
function isSocket(value: unknown): value is Connecting {
  return typeof value === 'object' && value !== null && 'once' in value;
}

/** What came instead of a head is no HTTP, frames its body in two ways, or is beyond all bounds. */
export function isUnparsable(error: Error): boolean {
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError) return true;
  if (error instanceof errors.ResponseContentLengthMismatchError) return true;
  // Of Node's parser, which reads the answers to requests with trailers.
  return 'code' in error && /^HPE_(?!INVALID_EOF_STATE)/.test(String(error.code));
}

/** Alerts that come after the handshake: with TLS 1.3, a refused certificate of ours is known only then. */
export function isTlsFailure(error: Error): boolean {
  return error instanceof UpstreamTlsError || ('code' in error && /^ERR_SSL_/.test(String(error.code)));
}
