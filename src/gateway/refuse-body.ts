/**
 * Refuses a request because of its body: too large, too slow, or none that can be read. Knows what the client is told,
 * not who reads the body.
 * @module
 */

import type { Exchange } from './exchange.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import { replyProblem } from './problem.ts';
import { noteRefused } from './transform/body-outcome.ts';
import { READABLE_CODINGS } from './transform/content-coding.ts';
import type { BodyTrouble, UnreadableBody } from './transform/unreadable-body.ts';
import type { BodyFailure } from './upstream/request-body.ts';

const CODES: Readonly<Record<BodyTrouble, GatewayErrorCode>> = {
  malformed: 'MALFORMED_BODY',
  'too-large': 'BODY_TOO_LARGE',
  unsupported: 'UNSUPPORTED_BODY',
};

function replyUnreadable(exchange: Exchange, unreadable: UnreadableBody): void {
  const { trouble, message } = unreadable;
  noteRefused(exchange, 'request', unreadable);
  const fields = trouble === 'unsupported' ? ['Accept-Encoding', READABLE_CODINGS] : [];
  replyProblem(exchange, CODES[trouble], `The body cannot be read: ${message}.`, fields);
}

/** Nobody is blamed for what no version has seen. */
export function leaveUnasked(exchange: Exchange, code: GatewayErrorCode, detail: string): void {
  exchange.version = null;
  exchange.hold?.release();
  replyProblem(exchange, code, detail);
}

/** The body was read before any attempt. */
export function refuseUnread(exchange: Exchange, trouble: UnreadableBody): void {
  exchange.version = null;
  exchange.hold?.release();
  replyUnreadable(exchange, trouble);
}

/** What should be the rest of the request is no HTTP: nobody knows where it ends, so the upstream does not get it. */
export function endUnframed(exchange: Exchange, code: GatewayErrorCode): void {
  exchange.body?.fail('aborted');
  if (exchange.attempts === 0) exchange.version = null;
  replyProblem(exchange, code, '');
}

/** The body fails while it is on its way: the upstream does not get the rest, which is not its fault. */
export function endByBody(exchange: Exchange, failure: BodyFailure): void {
  exchange.attempt?.abandon();
  exchange.rival?.abandon();
  const trouble = exchange.body?.trouble ?? null;
  if (failure === 'too-large')
    replyProblem(exchange, 'BODY_TOO_LARGE', `The limit is ${exchange.route?.maxBodyBytes} bytes.`);
  else if (failure === 'too-slow') replyProblem(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
  else if (trouble !== null) replyUnreadable(exchange, trouble);
}
