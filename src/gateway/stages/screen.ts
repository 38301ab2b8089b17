/**
 * Turns away clients whose address, or kind, the route does not take, before anything is spent on them.
 * Knows the client's address, behind trusted proxies the forwarded one.
 * @module
 */

import type { IpPolicy } from '../../config/policies/ip.ts';
import { isAddressAllowed } from '../address-rules.ts';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';

export function screen(exchange: Exchange): boolean {
  return passes(exchange, exchange.route?.ip ?? null) && isWelcome(exchange);
}

function isWelcome(exchange: Exchange): boolean {
  const verdict = exchange.route?.bots?.(exchange.request.headers, exchange.clientIp) ?? 'ordinary';
  if (verdict === 'ordinary') return true;
  exchange.note('bots', verdict);
  if (verdict === 'crawler') return true;
  replyProblem(exchange, 'BOT_REFUSED', '');
  return false;
}

/** False: refused. */
export function passes(exchange: Exchange, rules: IpPolicy | null): boolean {
  if (rules === null || isAddressAllowed(rules, exchange.clientIp)) return true;
  exchange.note('ip', 'refused');
  replyProblem(exchange, 'ADDRESS_REFUSED', '');
  return false;
}
