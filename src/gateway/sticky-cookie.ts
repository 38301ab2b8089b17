/**
 * Keeps the cookie that tells a visitor's version out of responses that caches on the way may give to others: they would
 * all get one visitor's cookie, or such caches would store nothing. Knows heads, not versions.
 * @module
 */

import { type FreshnessLimits, freshnessOf, type ResponseFacts } from '../core/policy/cache/freshness.ts';
import { storeVerdict } from '../core/policy/cache/storability.ts';
import { responseFacts } from './cache/stored-response.ts';
import type { Exchange } from './exchange.ts';

/** A guess is no invitation: most responses say nothing of caches. */
const NO_GUESS: FreshnessLimits = {
  ttlMs: null,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  heuristic: false,
};

/** The fields without the gateway's own cookie, where the response invites shared caches to keep it. */
export function withoutSharedCookie(exchange: Exchange, status: number, fields: string[]): string[] {
  const { setCookie, method, runtime, authorization } = exchange;
  if (setCookie === null || (method !== 'GET' && method !== 'HEAD')) return fields;
  const at = fields.indexOf(setCookie) - 1;
  if (at < 0) return fields;
  const others = fields.toSpliced(at, 2);
  const facts = responseFacts(status, others, 0);
  const nowMs = runtime.clock.nowMs();
  // Not every cache knows CDN-Cache-Control: what is for all to one kind of them is enough.
  const shared = [facts, { ...facts, cdnCacheControl: '' }].some((each) =>
    isForAll(each, authorization !== null, nowMs),
  );
  return shared ? others : fields;
}

/** Whether it may serve others without asking, by its own word. */
function isForAll(facts: ResponseFacts, authenticated: boolean, nowMs: number): boolean {
  const freshness = freshnessOf(facts, NO_GUESS, nowMs, nowMs);
  const request = { method: 'GET', authenticated, identified: false, noStore: false };
  const verdict = storeVerdict(request, facts, freshness, { overridden: false, setCookie: 'refuse' });
  // `useless` is what says no lifetime; other caches have one of their own for what is public.
  if (freshness.directives.noCache || (verdict !== 'store' && verdict !== 'useless')) return false;
  if (!freshness.explicit) return freshness.directives.isPublic;
  return freshness.lifetimeMs + freshness.staleWhileRevalidateMs + freshness.staleIfErrorMs > 0;
}
