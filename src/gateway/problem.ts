/**
 * Answers that the gateway gives itself: problem documents (RFC 9457) on an HTTP response or on a bare socket.
 * Knows the registry of errors, not the reasons.
 * @module
 */

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from './gateway-errors.ts';
import { callError } from './grpc/call-status.ts';
import { randomHex32 } from './random-ids.ts';
import { problemBody, sendOwn } from './transform/own-response.ts';

const NO_FIELDS: readonly string[] = [];

/**
 * Answers with a problem document, unless a response is on its way already: that one is cut off, so that the
 * client does not take a part for the whole. `detail` is a sentence for the caller, or empty.
 */
export function replyProblem(
  exchange: Exchange,
  code: GatewayErrorCode,
  detail: string,
  fields: readonly string[] = NO_FIELDS,
): void {
  const { response } = exchange;
  if (exchange.errorCode === '') exchange.errorCode = code;
  if (response.headersSent || (exchange.relaying && exchange.outgoing?.holdsBack !== true)) {
    response.destroy();
    return;
  }
  if (response.destroyed || response.writableEnded) return;
  if (exchange.requestId === '') exchange.requestId = randomHex32();
  const kind = GATEWAY_ERRORS[code];
  if (kind.close || exchange.runtime.draining || hasUnreadBody(exchange)) response.shouldKeepAlive = false;
  if (exchange.grpc) {
    const call = callError(kind.status, code, kind.title, detail);
    const own = ['X-Request-ID', exchange.requestId, ...fields, ...(exchange.addedFields ?? NO_FIELDS)];
    sendOwn(exchange, 200, [...call, ...own], Buffer.alloc(0));
    return;
  }
  const { type, body } = problemBody(exchange, problemText(code, detail, exchange.requestId));
  const head = [
    'Content-Type',
    type,
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Request-ID',
    exchange.requestId,
    ...fields,
    ...(exchange.addedFields ?? NO_FIELDS),
  ];
  sendOwn(exchange, kind.status, head, body);
}

/** Answers with a fixed response of the configuration. `fields`: name, value, name, value …, without framing. */
export function replyFixed(
  exchange: Exchange,
  status: number,
  fields: readonly string[],
  body: Buffer,
): void {
  const { response } = exchange;
  if (response.destroyed || response.writableEnded || response.headersSent) return;
  if (exchange.runtime.draining || hasUnreadBody(exchange)) response.shouldKeepAlive = false;
  const own = ['X-Request-ID', exchange.requestId, ...(exchange.addedFields ?? NO_FIELDS)];
  if (exchange.setCookie !== null) own.push('Set-Cookie', exchange.setCookie);
  const length = status === 204 || status === 304 ? [] : ['Content-Length', String(body.length)];
  sendOwn(exchange, status, [...own, ...fields, ...length], body);
}

/** Answers on a socket whose request could not be parsed, and closes it. */
export function replyProblemOnSocket(socket: Duplex, code: GatewayErrorCode, requestId: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status } = GATEWAY_ERRORS[code];
  const body = problemText(code, '', requestId);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-ID: ${requestId}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function problemText(code: GatewayErrorCode, detail: string, requestId: string): string {
  const { status, title } = GATEWAY_ERRORS[code];
  return JSON.stringify({
    type: 'about:blank',
    title,
    status,
    ...(detail === '' ? undefined : { detail }),
    request_id: requestId,
    code,
  });
}

/** A body that is not read leaves the connection out of step; reading it would do the work that was refused. */
function hasUnreadBody(exchange: Exchange): boolean {
  return exchange.bodyLength !== 0 && !exchange.request.complete;
}
