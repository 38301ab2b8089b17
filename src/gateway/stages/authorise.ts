/**
 * Holds validated claims against the scopes and values that the route asks for; answers 403 (RFC 6750 §3.1) when
 * something is missing. Who passes without a credential has no claims to judge.
 * @module
 */

import { refusalOf } from '../../core/policy/authorisation.ts';
import type { Exchange } from '../exchange.ts';
import { countAuth } from '../identity/compile-auth.ts';
import { replyProblem } from '../problem.ts';

export function authorise(exchange: Exchange): boolean {
  const { claims } = exchange;
  const auth = exchange.route?.auth ?? null;
  if (auth === null || auth.conditions === null || claims === null) return true;
  const refusal = refusalOf(claims, auth.conditions);
  if (refusal === null) {
    countAuth(exchange, auth, 'accepted');
    return true;
  }
  const [outcome, code, description] =
    refusal === 'scope'
      ? (['scope_missing', 'SCOPE_INSUFFICIENT', 'the token lacks a scope'] as const)
      : (['claim_refused', 'CLAIM_REFUSED', 'a claim of the token does not entitle to this'] as const);
  countAuth(exchange, auth, outcome);
  replyProblem(exchange, code, `${description}.`, auth.challenges.insufficient(description));
  return false;
}
