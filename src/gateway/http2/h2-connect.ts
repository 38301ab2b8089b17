/**
 * A change of protocols over HTTP/2, extended CONNECT (RFC 8441), in the terms of the one over HTTP/1.1, so that one set of
 * rules and one tunnel serve both. Knows fields; decides nothing.
 * @module
 */

import { createHash, randomBytes } from 'node:crypto';
import { constants, type IncomingHttpHeaders } from 'node:http2';

/** Of every WebSocket server (RFC 6455 §1.3). */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface ExtendedConnect {
  /** As the client names it. */
  readonly protocol: string;
  /** `Sec-WebSocket-Key` for the upstream: over HTTP/2 clients send none. Empty: it is no WebSocket. */
  readonly key: string;
}

/** Null: the request asks for nothing of the kind. */
export function readConnect(headers: IncomingHttpHeaders): ExtendedConnect | null {
  const protocol = headers[':protocol'];
  if (headers[constants.HTTP2_HEADER_METHOD] !== 'CONNECT' || protocol === undefined) return null;
  const name = String(protocol);
  return {
    protocol: name,
    key: name.toLowerCase() === 'websocket' ? randomBytes(16).toString('base64') : '',
  };
}

/**
 * The fields that the client gets. Throws when it must not: any 2xx of another kind would tell it that the protocol was
 * changed, and an upstream that cannot make the answer of the key has not understood.
 */
export function answerConnect({ key }: ExtendedConnect, status: number, fields: readonly string[]): string[] {
  if (status >= 200 && status < 300) throw new Error(`${status} would be taken for a change of protocols`);
  if (status !== 101 || key === '') return [...fields];
  const proof = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
  const kept: string[] = [];
  let proven = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name.toLowerCase() === 'sec-websocket-accept') proven = value.trim() === proof;
    else kept.push(name, value);
  }
  if (!proven) throw new Error('Sec-WebSocket-Accept does not belong to the key');
  return kept;
}
