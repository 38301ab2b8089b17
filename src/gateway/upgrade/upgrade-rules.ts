/**
 * Which requests may ask for another protocol, and whether their route allows it. Knows requests, no sockets.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';

/** One protocol (RFC 9110 §7.8); a choice of several is left to clients that need none. */
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/;

/**
 * Notes the protocol. False when the request cannot carry an upgrade: another method than GET, HTTP/1.0, a body
 * (its bytes could be taken for the other protocol's), or no single protocol.
 */
export function admitUpgrade(exchange: Exchange): boolean {
  const { request, method, bodyLength, expectsContinue } = exchange;
  const protocol = request.headers.upgrade;
  if (method !== 'GET' || request.httpVersionMinor !== 1 || bodyLength !== 0 || expectsContinue) return false;
  if (protocol === undefined || !PROTOCOL.test(protocol)) return false;
  exchange.upgrade = protocol.toLowerCase();
  return true;
}

/** Whether the route allows the protocol; else answers. */
export function allowUpgrade(exchange: Exchange): boolean {
  if (exchange.route?.upgrade?.has(exchange.upgrade) === true) return true;
  replyProblem(exchange, 'UPGRADE_REFUSED', '');
  return false;
}
