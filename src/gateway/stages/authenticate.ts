/**
 * Turns a bearer token into claims where the route asks for it (RFC 6750). A token seen before costs a look-up;
 * a new one waits for its keys. Knows no permissions.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { TokenVerdict } from '../jwt-verifier.ts';
import { replyProblem } from '../problem.ts';

const BEARER = /^Bearer +([^\s]+) *$/i;
const RETRY_AFTER_S = '5';

export function authenticate(exchange: Exchange): boolean {
  const auth = exchange.route?.auth ?? null;
  if (auth === null) return true;
  if (exchange.authorization === null) {
    if (auth.optional) return true;
    // RFC 6750 §3.1: a request without any credentials gets no error code.
    replyProblem(exchange, 'TOKEN_MISSING', '', ['WWW-Authenticate', 'Bearer']);
    return false;
  }
  const token = BEARER.exec(exchange.authorization)?.[1];
  if (token === undefined)
    return refuse(exchange, 'invalid_request', 'the Authorization field is not a bearer token');
  const claims = auth.verify.recall(token);
  if (claims !== undefined) {
    exchange.claims = claims;
    return true;
  }
  auth.verify.verify(token).then(
    (verdict) => {
      if (accept(exchange, verdict)) exchange.proceed();
    },
    (error: unknown) => {
      exchange.runtime.logger.error({ err: error }, 'token verification failed');
      replyProblem(exchange, 'INTERNAL', '');
    },
  );
  return false;
}

function accept(exchange: Exchange, verdict: TokenVerdict): boolean {
  if (exchange.recorded) return false;
  switch (verdict.kind) {
    case 'valid':
      exchange.claims = verdict.claims;
      return true;
    case 'invalid':
      return refuse(exchange, 'invalid_token', verdict.reason);
    case 'keys-unavailable':
      replyProblem(exchange, 'KEYS_UNAVAILABLE', '', ['Retry-After', RETRY_AFTER_S]);
      return false;
  }
}

function refuse(exchange: Exchange, error: string, description: string): false {
  replyProblem(exchange, 'TOKEN_INVALID', `${description}.`, [
    'WWW-Authenticate',
    `Bearer error="${error}", error_description="${description}"`,
  ]);
  return false;
}
