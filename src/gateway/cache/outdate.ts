/**
 * What a successful unsafe request outdates: its own URL and what its response points to (RFC 9111 §4.4), and what its
 * route names; here at once and then in all gateways. Knows no attempt beyond its response.
 * @module
 */

import { sameOriginTarget } from '../../core/policy/cache/invalidation.ts';
import { flawOfPurge, type Purge } from '../../core/policy/cache/purge.ts';
import type { Exchange } from '../exchange.ts';
import type { RunningAttempt } from '../running.ts';
import type { CompiledRoute } from '../snapshot.ts';
import { requestFacts, resourceKey } from './request-facts.ts';

const ANYBODY = { ownCookies: new Set<string>(), callerFields: new Map() };

export function outdate(exchange: Exchange, route: CompiledRoute, attempt: RunningAttempt): void {
  const { runtime, path, query, authority } = exchange;
  const { name, cachedPaths } = route.service;
  if (cachedPaths.length === 0) return;
  const { origin } = requestFacts(exchange.upstreamFields, false, ANYBODY, false);
  const outdated = [{ path, query }];
  for (const field of ['location', 'content-location']) {
    const reference = attempt.field(field);
    const target = reference === undefined ? null : sameOriginTarget(reference, authority, path);
    if (target !== null) outdated.push(target);
  }
  for (const target of outdated) {
    const cached = cachedPaths.filter(({ covers }) => covers(target.path));
    for (const { queryKey } of cached) {
      runtime.cache.invalidate(resourceKey(name, origin, target.path, queryKey(target.query)));
    }
    // Others may have it under the same name; who asked them with another authority has another resource.
    const purge: Purge = { by: 'url', value: `${origin}${target.path}${target.query}`, service: name };
    if (cached.length > 0 && flawOfPurge(purge) === null) runtime.cache.announce(purge);
  }
  // What stands in for the service has changed nothing of it.
  if (route.purges.length > 0 && exchange.standIn === null) purgeByRules(exchange, route);
}

function purgeByRules(exchange: Exchange, { purges, service }: CompiledRoute): void {
  let purged = 0;
  let leftOut = 0;
  for (const make of purges) {
    const purge = make(exchange);
    if (purge === null) leftOut += 1;
    else if (purge.by !== 'path' || service.cachedPaths.some(({ covers }) => covers(purge.value)))
      purged += exchange.runtime.cache.announce(purge);
  }
  exchange.note('purged', String(purged));
  if (leftOut > 0) exchange.note('purges_left_out', String(leftOut));
}
