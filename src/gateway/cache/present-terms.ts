/**
 * What a stored response is worth by the policy of the route that wants to use it: another one than at storing after a
 * reload, at another route, and where another gateway stored it. Every doubt ends in the shorter life.
 * @module
 */

import type { CachePolicy } from '../../config/gateway-model.ts';
import { freshnessOf } from '../../core/policy/cache/freshness.ts';
import { storeVerdict } from '../../core/policy/cache/storability.ts';
import { responseFacts, type StoredResponse, type StoredTerms } from './stored-response.ts';

/** `overridden`: it is kept by the route's lifetime, which asks more of a response than its own word does. */
export function termsOf(policy: CachePolicy, overridden: boolean): StoredTerms {
  const { ttlMs, staleWhileRevalidateMs, staleIfErrorMs, heuristic, setCookie, tags } = policy;
  return { ttlMs, staleWhileRevalidateMs, staleIfErrorMs, heuristic, setCookie, tags, overridden };
}

/** The same response where nothing has changed; null: by this policy it would not be kept. */
export function byPresentTerms(stored: StoredResponse, policy: CachePolicy): StoredResponse | null {
  const { terms } = stored;
  if (isOf(terms, policy)) return stored;
  // It could not be purged by the tags of today.
  if (policy.tags !== null && policy.tags !== terms.tags) return null;
  const facts = responseFacts(stored.status, stored.fields, 0);
  if (facts.hasSetCookie && policy.setCookie === 'strip') return null;
  const overridden = terms.overridden && policy.ttlMs !== null;
  const limits = overridden ? policy : { ...policy, ttlMs: null };
  const { initialAgeMs } = stored.freshness;
  const fresh = { ...freshnessOf(facts, limits, stored.responseMs, stored.responseMs), initialAgeMs };
  // What was asked of its request held at storing, by the stricter rules if it was the route's lifetime.
  const request = { method: 'GET', authenticated: false, identified: false, noStore: false };
  const verdict = storeVerdict(request, facts, fresh, { overridden, setCookie: policy.setCookie });
  if (verdict !== 'store') return null;
  const lifetimeMs = Math.min(fresh.lifetimeMs, policy.ttlMs ?? fresh.lifetimeMs);
  return { ...stored, freshness: { ...fresh, lifetimeMs }, terms: termsOf(policy, overridden) };
}

function isOf(terms: StoredTerms, policy: CachePolicy): boolean {
  return (
    terms.ttlMs === policy.ttlMs &&
    terms.staleWhileRevalidateMs === policy.staleWhileRevalidateMs &&
    terms.staleIfErrorMs === policy.staleIfErrorMs &&
    terms.heuristic === policy.heuristic &&
    terms.setCookie === policy.setCookie &&
    terms.tags === policy.tags
  );
}
