/**
 * Compiles one service: its versions with their balancers, counters and series, its sticky sources. Knows what a
 * snapshot needs of a service, no routes.
 * @module
 */

import type { GatewayConfig, Service } from '../config/gateway-model.ts';
import { Balancer, type TargetState } from '../core/policy/balancer.ts';
import { compileQueryKey } from '../core/policy/cache/cache-key.ts';
import { OutlierWatch } from '../core/policy/outlier.ts';
import { RetryBudget } from '../core/policy/retry-budget.ts';
import { randomFraction } from './random-ids.ts';
import type { CompiledService, ServiceVersion, SnapshotParts } from './snapshot.ts';
import { compileStickySources } from './sticky.ts';
import type { Endpoint } from './upstream/endpoint.ts';
import type { Target } from './upstream/target.ts';

export type StateOf = (version: string, origin: string) => TargetState;

export function compileService(
  service: Service,
  connectMs: number,
  cachedQueries: CompiledService['cachedQueries'],
  parts: SnapshotParts,
  used: Endpoint[],
  stateOf: StateOf,
): CompiledService {
  const balance = { kind: service.balance, slowStartMs: service.slowStartMs };
  const versions = new Map<string, ServiceVersion>();
  for (const [name, { endpoints }] of Object.entries(service.versions)) {
    const targets = endpoints.map(({ url, weight }): Target => {
      const endpoint = parts.endpoints.acquire(url, connectMs);
      used.push(endpoint);
      return { id: url, weight, endpoint, state: stateOf(`${service.name} ${name}`, url) };
    });
    const balancer = new Balancer(targets, balance, randomFraction, parts.endpoints.monotonicMs());
    versions.set(name, {
      name,
      balancer,
      outliers: service.outlier === null ? null : new OutlierWatch(service.outlier, balancer),
      counter: parts.recorder.counter(service.name, name),
      series: parts.metrics.clientSeries(service.name, name),
    });
  }
  const defaultVersion = versions.get(service.defaultVersion);
  if (defaultVersion === undefined) {
    throw new Error(`service ${service.name} has no version ${service.defaultVersion}`);
  }
  return {
    name: service.name,
    versions,
    defaultVersion,
    split: parts.splits.slot(service.name),
    sticky: compileStickySources(service.sticky),
    retryBudget: new RetryBudget(),
    retries: parts.metrics.retryCounts(service.name),
    ownCookies: new Set(
      service.sticky.flatMap((source) => (source !== 'ip' && 'cookie' in source ? [source.cookie] : [])),
    ),
    cachedQueries,
  };
}

/** One function for each different way in which routes of the service write a query. */
export function queryKeys(config: GatewayConfig, service: string): ((query: string) => string)[] {
  const keyings = new Map<string, (query: string) => string>();
  for (const route of config.routes) {
    if (route.service !== service || route.cache === null) continue;
    const { query } = route.cache;
    keyings.set(JSON.stringify([query.sort, query.exclude]), compileQueryKey(query));
  }
  return [...keyings.values()];
}
