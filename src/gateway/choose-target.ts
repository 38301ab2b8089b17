/**
 * Which endpoint the next attempt goes to, past circuit breakers. Joins balancer and breakers; starts nothing.
 * @module
 */

import { type Breaker, REFUSED } from '../core/policy/breaker.ts';
import { ringHash } from '../core/policy/hash-ring.ts';
import { BreakerPass } from './breakers.ts';
import type { Exchange } from './exchange.ts';
import { randomFraction } from './random-ids.ts';
import type { ServiceVersion } from './snapshot.ts';
import type { Target } from './upstream/target.ts';

export type Choice =
  | { readonly target: Target; readonly pass: BreakerPass | null }
  | { readonly target: null; readonly refusedBy: Breaker | null };

/** An endpoint whose breaker lets the attempt pass; others are asked before it is refused. */
export function chooseTarget(exchange: Exchange, version: ServiceVersion, nowMs: number): Choice {
  const breakers = exchange.route?.breakers?.get(version);
  let refusedBy: Breaker | null = null;
  let tried = exchange.tried;
  for (let asked = 0; asked <= version.balancer.targets.length; asked += 1) {
    const target = pickTarget(exchange, version, nowMs, tried);
    if (target === null) break;
    if (breakers === undefined) return { target, pass: null };
    const breaker = breakers.of(target);
    if (breaker === refusedBy) break;
    const ticket = breaker.admit(nowMs, randomFraction());
    if (ticket !== REFUSED) return { target, pass: new BreakerPass(breaker, ticket, nowMs) };
    refusedBy = breaker;
    tried = [...(tried ?? []), target];
  }
  return { target: null, refusedBy };
}

function pickTarget(
  exchange: Exchange,
  { balancer }: ServiceVersion,
  nowMs: number,
  tried: readonly Target[] | null,
): Target | null {
  const keyHash = balancer.usesKey ? ringHash(exchange.stickyKey || exchange.clientIp) : 0;
  return balancer.pick(nowMs, keyHash, tried);
}
