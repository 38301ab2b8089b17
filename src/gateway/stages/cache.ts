/**
 * Looks for a stored response: answers from it, renews it meanwhile, has it validated, or lets the request go to
 * the upstream, alone or after another that asks for the same. Knows no attempts.
 * @module
 */

import { currentAgeMs } from '../../core/policy/cache/freshness.ts';
import { isSharable, reuseOf } from '../../core/policy/cache/reuse.ts';
import { varyKey } from '../../core/policy/cache/vary.ts';
import { answerFromStored, answerOnError } from '../cache/answer.ts';
import { renewInBackground, validate } from '../cache/background.ts';
import { CacheRun, type CompiledCache } from '../cache/cache-run.ts';
import { byPresentTerms } from '../cache/present-terms.ts';
import { fieldOf, requestFacts, resourceKey } from '../cache/request-facts.ts';
import { patienceMs, waitFor } from '../cache/waiting.ts';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';

export function cache(exchange: Exchange): boolean {
  const { route, method } = exchange;
  if (route === null || route.cache === null || !isCached(exchange)) return true;
  const run = exchange.cacheRun ?? begin(exchange, route.cache);
  const { facts } = run;
  if (facts.hasOriginCondition || facts.directives.noStore || exchange.bodyLength !== 0) {
    run.outcome = 'bypass';
    run.reason = facts.hasOriginCondition ? 'bypass' : 'request';
    return true;
  }
  if (useStored(exchange, run)) return false;
  // The one that this one waited for met an error, which a stale response may hide from both.
  if (run.leaderFailure >= 0 && answerOnError(exchange, run.leaderFailure)) return false;
  if (askTier(exchange, run)) return false;
  if (facts.directives.onlyIfCached) {
    replyProblem(exchange, 'NOT_CACHED', '');
    return false;
  }
  if (run.outcome === 'collapsed') run.outcome = 'miss';
  if (method === 'GET' && facts.range === '' && !join(exchange, run)) return false;
  run.sent(exchange.runtime.clock.nowMs());
  if (run.stored !== null && method === 'GET' && facts.range === '') validate(exchange, run, run.stored);
  return true;
}

/** What routes that cache look for stored responses to. */
export function isCached({ method, upgrade }: Exchange): boolean {
  return (method === 'GET' || method === 'HEAD') && upgrade === '';
}

function begin(exchange: Exchange, compiled: CompiledCache): CacheRun {
  const { runtime, route, version, upstreamFields, path, query } = exchange;
  const { policy } = compiled;
  const facts = requestFacts(upstreamFields, policy.clientDirectives, compiled, exchange.claims !== null);
  const resource = resourceKey(route?.service.name ?? '', facts.origin, path, compiled.queryKey(query));
  const values = varyKey(policy.headers, (name) => fieldOf(upstreamFields, name));
  // With their names: another route, or this one after a reload, may choose others.
  const chosen = values === '' ? '' : `${policy.headers.join(',')}\n${values}`;
  // Where more than the URL decides what the upstream is asked for, or which route asks, that is part of the key.
  const asked = route?.transform?.rewrite?.ofMoreThanPath === true ? `\n${exchange.upstreamTarget}` : '';
  const chosenBy = route !== null && route.conditions.length > 0 ? `\n${route.name}` : '';
  const selector = `${version?.name}\n${chosen}${asked}${chosenBy}`;
  const run = new CacheRun(runtime.cache, compiled, facts, resource, selector, false);
  exchange.cacheRun = run;
  return run;
}

/** True: the stored response answered. */
function useStored(exchange: Exchange, run: CacheRun): boolean {
  const { runtime } = exchange;
  const found = runtime.cache.store.find(run, (name) => fieldOf(exchange.upstreamFields, name));
  const { response } = found;
  const stored = response === null ? null : byPresentTerms(response, run.compiled.policy);
  if (stored !== response && response !== null) {
    runtime.cache.store.remove(response);
    if (stored !== null) runtime.cache.store.put(stored);
  }
  if (stored === null) {
    run.stored = null;
    run.reason = found.otherVariants ? 'vary-miss' : 'uri-miss';
    return false;
  }
  const nowMs = runtime.clock.nowMs();
  const ageMs = currentAgeMs(stored.freshness, stored.responseMs, nowMs);
  const reuse = reuseOf(stored.freshness, ageMs, run.facts.directives);
  if (reuse === 'validate') {
    run.stored = stored;
    run.reason = ageMs < stored.freshness.lifetimeMs ? 'request' : 'stale';
    return false;
  }
  const collapsed = run.outcome === 'collapsed';
  if (!collapsed) run.outcome = reuse === 'fresh' ? 'hit' : 'stale';
  answerFromStored(exchange, run, stored, {
    forwarded: collapsed ? run.reason : null,
    forwardStatus: 0,
    stored: false,
    collapsed,
    detail: reuse === 'fresh' ? '' : reuse,
  });
  if (reuse === 'stale-while-revalidate') renewInBackground(exchange, run, stored);
  return true;
}

/** True: the tier is asked first, and then the stage runs again. */
function askTier(exchange: Exchange, run: CacheRun): boolean {
  const { tier } = exchange.runtime.cache;
  if (run.tierAsked || tier === null || run.facts.directives.noCache) return false;
  run.tierAsked = true;
  const read = (name: string) => fieldOf(exchange.upstreamFields, name);
  tier.find(run, read, (found) => {
    // The stale one that is here may have been renewed by another gateway, or be newer than what the tier has.
    const newer = found !== null && found.stored.responseMs > (run.stored?.responseMs ?? 0);
    if (newer) exchange.runtime.cache.adoptShared(found);
    if (exchange.recorded) return;
    exchange.stage -= 1;
    exchange.proceed();
  });
  return true;
}

/** False: another request for the same is on its way, and this one waits for what it brings. */
function join(exchange: Exchange, run: CacheRun): boolean {
  const { runtime } = exchange;
  const { facts, flightKey, stored } = run;
  // What an authenticated request gets is seldom for others; a condition may bring nothing to store.
  if (run.waited || facts.authenticated) return true;
  // Each has to ask anyway whether that still holds.
  if (stored !== null && !isSharable(stored.freshness)) return true;
  const { flights } = runtime.cache;
  const nowMs = runtime.monotonicMs();
  const flight = flights.get(flightKey);
  // One that takes longer than an answer may is left to those who wait already.
  if (flight !== undefined && nowMs - flight.sinceMs < patienceMs(exchange)) {
    waitFor(exchange, run, flight);
    return false;
  }
  const conditional = stored === null && (facts.ifNoneMatch !== '' || facts.ifModifiedSince !== '');
  if (!conditional && !flights.passes(flightKey, nowMs)) {
    run.flight = flights.lead(flightKey, nowMs);
    // A slow reader must not hold up those who wait.
    run.flight.onWaiter = () => exchange.attempt?.resume();
  }
  return true;
}
