/**
 * What the cache does with an upstream's response: confirms the stored one by a 304, falls back to it on an error,
 * keeps a new one, or drops what an unsafe request outdated. Knows no attempts beyond their response.
 * @module
 */

import { type CacheReport, formatCacheStatus } from '../../core/policy/cache/cache-status.ts';
import { freshnessOf } from '../../core/policy/cache/freshness.ts';
import { invalidates } from '../../core/policy/cache/invalidation.ts';
import { isSharable } from '../../core/policy/cache/reuse.ts';
import { isSetCookie, keepsCookies } from '../../core/policy/cache/set-cookie.ts';
import { type StoreRequestFacts, storeVerdict } from '../../core/policy/cache/storability.ts';
import { answerFromStored, answerOnError, CACHE_NAME } from '../cache/answer.ts';
import type { CacheRun } from '../cache/cache-run.ts';
import { outdate } from '../cache/outdate.ts';
import { termsOf } from '../cache/present-terms.ts';
import { tagsOf } from '../cache/purge-match.ts';
import { fieldOf } from '../cache/request-facts.ts';
import { freshenedResponse, responseFacts, type StoredResponse } from '../cache/stored-response.ts';
import type { Exchange } from '../exchange.ts';
import { ownFields } from '../own-fields.ts';
import { fieldsWithout } from '../transform/field-list.ts';
import { responseFields } from './relay.ts';

/** Of one response. */
const MAX_TAGS = 256;
/** These judge the request and not the resource (RFC 9110 §15.5, RFC 6585): another may get something else. */
const OF_ONE_REQUEST: ReadonlySet<number> = new Set([400, 408, 413, 414, 417, 421, 425, 429, 431]);

export function keep(exchange: Exchange): boolean {
  const { attempt, cacheRun: run, route } = exchange;
  if (attempt === null || route === null) throw new Error('keep runs after attempt');
  if (run === null) {
    if (invalidates(exchange.method, attempt.status)) outdate(exchange, route, attempt);
    return true;
  }
  if (run.flight !== null) run.flight.headSeen = true;
  if (attempt.status >= 500) {
    run.failed(attempt.status);
    if (answerOnError(exchange, attempt.status)) {
      attempt.discard();
      return false;
    }
  }
  const fields = responseFields(exchange, attempt);
  // The relay refuses it.
  if (fields === undefined) return true;
  // Another service knows nothing of what is stored here.
  const standsIn = exchange.standIn !== null;
  if (attempt.status === 304 && run.validating && run.stored !== null && !standsIn) {
    confirm(exchange, run, run.stored, fields.slice(ownFields(exchange).length));
    attempt.discard();
    return false;
  }
  run.fields = fields;
  const kept = run.outcome !== 'bypass' && !standsIn && keepResponse(exchange, run, attempt.status, fields);
  if (!kept) {
    if (attempt.status < 500 && !OF_ONE_REQUEST.has(attempt.status))
      run.unshare(exchange.runtime.monotonicMs());
    run.release();
  }
  fields.push('Cache-Status', formatCacheStatus(CACHE_NAME, forwardReport(run, kept)));
  return true;
}

function forwardReport(run: CacheRun, stored: boolean): CacheReport {
  return { forwarded: run.reason, forwardStatus: 0, ttlS: null, stored, collapsed: false, detail: '' };
}

/** The upstream says that the stored response still holds. */
function confirm(exchange: Exchange, run: CacheRun, stored: StoredResponse, update: string[]): void {
  const { runtime } = exchange;
  exchange.expectedBytes = -1;
  run.outcome = 'revalidated';
  const { limits, policy } = run.compiled;
  const tags = tagsIn(run, update) ?? stored.tags;
  const nowMs = runtime.clock.nowMs();
  const freshen = (overridden: boolean): StoredResponse => {
    const own = overridden ? limits : { ...limits, ttlMs: null };
    const fresh = freshenedResponse(stored, update, own, run.requestMs, nowMs, tags);
    return { ...fresh, terms: termsOf(policy, overridden) };
  };
  // The route's lifetime is for what it was for before, or is now that somebody unknown had it confirmed.
  const asked = limits.ttlMs !== null;
  const overridden = asked && (stored.terms.overridden || mayOverride(exchange, run, freshen(true)));
  const fresh = freshen(overridden);
  const { directives } = fresh.freshness;
  let kept = false;
  if (directives.noStore || directives.isPrivate || tags.length > MAX_TAGS) {
    runtime.cache.store.remove(stored);
    run.unshare(runtime.monotonicMs());
  } else {
    // A cookie that comes with a confirmation is of who asked, as it would be with the whole response.
    const cookies = keepsCookies(policy.setCookie, fresh.freshness);
    kept = run.put(cookies ? fresh : { ...fresh, fields: fieldsWithout(fresh.fields, isSetCookie) });
    if (!isSharable(fresh.freshness)) run.unshare(runtime.monotonicMs());
  }
  run.release(kept ? 'stored' : 'lost');
  if (run.background) exchange.response.end();
  else {
    answerFromStored(exchange, run, fresh, {
      forwarded: run.reason,
      forwardStatus: 304,
      stored: false,
      collapsed: false,
      detail: '',
    });
  }
}

function mayOverride(
  exchange: Exchange,
  run: CacheRun,
  { status, fields, freshness }: StoredResponse,
): boolean {
  const { setCookie } = run.compiled.policy;
  const facts = responseFacts(status, fields, 0);
  const rules = { overridden: true, setCookie };
  return storeVerdict(storeRequest(exchange, run), facts, freshness, rules) === 'store';
}

function storeRequest({ method }: Exchange, { facts }: CacheRun): StoreRequestFacts {
  const { authenticated, identified, directives } = facts;
  return { method, authenticated, identified, noStore: directives.noStore };
}

/** True: the response is storable, and its body is kept as it passes. */
function keepResponse(exchange: Exchange, run: CacheRun, status: number, fields: string[]): boolean {
  const { runtime, upstreamFields } = exchange;
  const from = ownFields(exchange).length;
  const { limits, policy } = run.compiled;
  const facts = responseFacts(status, fields, from);
  const responseMs = runtime.clock.nowMs();
  const freshness = freshnessOf(facts, limits, run.requestMs, responseMs);
  const request = storeRequest(exchange, run);
  const { setCookie } = policy;
  const tags = tagsIn(run, fields) ?? [];
  const theirs = fields.slice(from);
  const stored = setCookie === 'strip' ? fieldsWithout(theirs, isSetCookie) : theirs;
  const overridden = limits.ttlMs !== null;
  const terms = termsOf(policy, overridden);
  let head = { facts, freshness, terms, tags, responseMs, fields: stored };
  let verdict = storeVerdict(request, facts, freshness, { overridden, setCookie });
  if (verdict !== 'store' && overridden) {
    // Not by the route's lifetime; perhaps by the response's own word.
    const own = freshnessOf(facts, { ...limits, ttlMs: null }, run.requestMs, responseMs);
    head = { ...head, freshness: own, terms: termsOf(policy, false) };
    verdict = storeVerdict(request, facts, own, { overridden: false, setCookie });
  }
  if (verdict !== 'store' || exchange.expectedBytes > policy.maxBytes) return false;
  // One that could not be purged by all of its tags is not kept.
  if (tags.length > MAX_TAGS) return false;
  if (run.isPurged(tags)) {
    // The next one who asks gets a newer one.
    run.release();
    return false;
  }
  if (!isSharable(head.freshness)) run.unshare(runtime.monotonicMs());
  run.keep(head, (name) => fieldOf(upstreamFields, name));
  return true;
}

/** The tags that a response names; null when it has no such field. */
function tagsIn(run: CacheRun, fields: readonly string[]): readonly string[] | null {
  const name = run.compiled.policy.tags;
  const text = name === null ? undefined : fieldOf(fields, name);
  return text === undefined ? null : tagsOf(text);
}
