/**
 * Turns a credential into claims where the route asks for it (RFC 6750). One seen before costs a look-up; a new one
 * waits for whoever judges it. Knows no permissions.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { type AuthMethod, type CompiledAuth, countAuth } from '../identity/compile-auth.ts';
import { addIdentity } from '../identity/forwarded-identity.ts';
import { MALFORMED, type TokenVerdict } from '../identity/token-verifier.ts';
import { replyProblem } from '../problem.ts';
import { claimText } from '../sticky.ts';

const RETRY_AFTER_S = '5';

export function authenticate(exchange: Exchange): boolean {
  const auth = exchange.route?.auth ?? null;
  if (auth === null) return true;
  let malformed = false;
  let sent = false;
  let candidates: [AuthMethod, string][] | null = null;
  for (const method of auth.methods) {
    const token = method.read(exchange);
    if (token === null) continue;
    if (token === undefined) {
      malformed = true;
      continue;
    }
    sent = true;
    if (!method.verifier.accepts(token)) continue;
    const claims = method.verifier.recall(token);
    if (claims !== undefined) return accept(exchange, auth, claims);
    candidates ??= [];
    candidates.push([method, token]);
  }
  if (candidates !== null) {
    judge(exchange, auth, candidates);
    return false;
  }
  if (sent) return settle(exchange, auth, MALFORMED, 'KEYS_UNAVAILABLE');
  return malformed ? refuseMalformed(exchange, auth) : admitStranger(exchange, auth);
}

/** Asks one after the other; the first that vouches for the caller ends it. */
async function judge(
  exchange: Exchange,
  auth: CompiledAuth,
  candidates: readonly (readonly [AuthMethod, string])[],
): Promise<void> {
  try {
    let verdict: TokenVerdict = MALFORMED;
    let whenUnavailable: GatewayErrorCode = 'KEYS_UNAVAILABLE';
    for (const [method, token] of candidates) {
      const next = await method.verifier.verify(token);
      // Somebody who cannot be asked might have known the caller: that outweighs any refusal.
      if (verdict.kind !== 'unavailable' || next.kind === 'valid') {
        verdict = next;
        whenUnavailable = method.whenUnavailable;
      }
      if (verdict.kind === 'valid') break;
    }
    if (!exchange.recorded && settle(exchange, auth, verdict, whenUnavailable)) exchange.proceed();
  } catch (error) {
    exchange.runtime.logger.error({ err: error }, 'token verification failed');
    if (!exchange.recorded) replyProblem(exchange, 'INTERNAL', '');
  }
}

function settle(
  exchange: Exchange,
  auth: CompiledAuth,
  verdict: TokenVerdict,
  whenUnavailable: GatewayErrorCode,
): boolean {
  switch (verdict.kind) {
    case 'valid':
      return accept(exchange, auth, verdict.claims);
    case 'invalid':
      countAuth(exchange, auth, verdict.cause);
      replyProblem(
        exchange,
        'TOKEN_INVALID',
        `${verdict.reason}.`,
        auth.challenges.refused('invalid_token', verdict.reason),
      );
      return false;
    case 'unavailable':
      countAuth(exchange, auth, 'unavailable');
      replyProblem(exchange, whenUnavailable, '', ['Retry-After', RETRY_AFTER_S]);
      return false;
  }
}

function accept(exchange: Exchange, auth: CompiledAuth, claims: NonNullable<Exchange['claims']>): true {
  exchange.claims = claims;
  // With conditions, `authorise` says what became of it.
  if (auth.conditions === null) countAuth(exchange, auth, 'accepted');
  exchange.note('caller', claimText(exchange, 'sub') ?? '');
  const tenant = claimText(exchange, auth.tenantClaim);
  if (tenant !== undefined) exchange.note('tenant', tenant);
  if (auth.forward.length > 0) addIdentity(exchange, auth.forward, claims);
  return true;
}

function admitStranger(exchange: Exchange, auth: CompiledAuth): boolean {
  if (auth.optional) {
    countAuth(exchange, auth, 'anonymous');
    return true;
  }
  countAuth(exchange, auth, 'missing');
  replyProblem(exchange, 'TOKEN_MISSING', '', auth.challenges.missing());
  return false;
}

function refuseMalformed(exchange: Exchange, auth: CompiledAuth): false {
  const description = 'the credential is not well-formed';
  countAuth(exchange, auth, 'malformed');
  replyProblem(
    exchange,
    'TOKEN_MALFORMED',
    `${description}.`,
    auth.challenges.refused('invalid_request', description),
  );
  return false;
}
