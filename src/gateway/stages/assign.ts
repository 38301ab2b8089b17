/**
 * Chooses the version: a match override first, else the sticky key by the split in force. Knows not how weights
 * come about.
 * @module
 */

import type { MatchOverride } from '../../core/domain/split-document.ts';
import type { Exchange } from '../exchange.ts';
import type { CompiledService } from '../snapshot.ts';
import { claimText, headerText } from '../sticky.ts';

export function assign(exchange: Exchange): boolean {
  const { route } = exchange;
  if (route === null) throw new Error('assign runs after route');
  const { service } = route;
  if (service.split.matches.length > 0 && assignForced(exchange, service)) return true;
  for (const { source, read } of service.sticky) {
    const key = read(exchange);
    if (key === undefined) continue;
    exchange.stickySource = source;
    exchange.stickyKey = key;
    const { split } = service;
    exchange.version = service.versions.get(split.assign(key)) ?? service.defaultVersion;
    if (split.testing && service.sample.isNew(key, split.revision)) exchange.version.counter.newKeys += 1;
    return true;
  }
  // The compiled sources end with the client's address, which every open connection has.
  exchange.version = service.defaultVersion;
  return true;
}

function assignForced(exchange: Exchange, service: CompiledService): boolean {
  for (const match of service.split.matches) {
    const version = matches(exchange, match) ? service.versions.get(match.version) : undefined;
    if (version === undefined) continue;
    exchange.version = version;
    exchange.forced = true;
    exchange.stickySource = 'forced';
    version.counter.forced += 1;
    return true;
  }
  return false;
}

function matches(exchange: Exchange, { source, equals }: MatchOverride): boolean {
  const value = 'header' in source ? headerText(exchange, source.header) : claimText(exchange, source.claim);
  return value === equals;
}
