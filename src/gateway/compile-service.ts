/**
 * Compiles one service: its versions with their balancers, counters and series, its sticky sources. Knows what a
 * snapshot needs of a service, no routes.
 * @module
 */

import type { GatewayConfig, Service } from '../config/gateway-model.ts';
import { OutlierWatch } from '../core/policy/outlier.ts';
import { RetryBudget } from '../core/policy/retry-budget.ts';
import { compileCachedPaths } from './cache/cached-paths.ts';
import { compileSegments } from './segment-reads.ts';
import type { CompiledService, ServiceVersion, SnapshotParts } from './snapshot.ts';
import { compileStickySources } from './sticky.ts';
import { TargetSet } from './upstream/target-set.ts';

export function compileService(
  service: Service,
  config: GatewayConfig,
  parts: SnapshotParts,
  used: TargetSet[],
): CompiledService {
  const connectMs = connectTimeout(config, service.name);
  const versions = new Map<string, ServiceVersion>();
  const segments = compileSegments(service.segments);
  for (const [name, upstream] of Object.entries(service.versions)) {
    const targets = new TargetSet(parts.upstreams, {
      service,
      version: name,
      upstream,
      resolver: config.resolver,
      connectMs,
      zone: config.zone,
    });
    used.push(targets);
    const { balancer } = targets;
    versions.set(name, {
      name,
      balancer,
      outliers: service.outlier === null ? null : new OutlierWatch(service.outlier, balancer),
      counter: parts.recorder.counter(service.name, name),
      series: parts.metrics.clientSeries(service.name, name),
      segments,
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
    trailers: service.trailers.length === 0 ? null : new Set(service.trailers),
    requestTrailers: service.requestTrailers.length === 0 ? null : new Set(service.requestTrailers),
    health: service.health !== null,
    split: parts.splits.slot(service.name),
    sample: parts.recorder.sample(service.name),
    // With nothing to choose, a cookie would only keep caches from storing what they may.
    sticky: compileStickySources(service.sticky, versions.size > 1 || service.balance === 'hash'),
    retryBudget: new RetryBudget(service.retryBudget),
    retries: parts.metrics.resilience.retryCounts(service.name),
    ownCookies: new Set(
      service.sticky.flatMap((source) => (source !== 'ip' && 'cookie' in source ? [source.cookie] : [])),
    ),
    cachedPaths: compileCachedPaths(config, service.name),
  };
}

/** The longest that a route to the service allows, milliseconds. */
function connectTimeout(config: GatewayConfig, service: string): number {
  return config.routes.reduce(
    (longest, route) => (route.service === service ? Math.max(longest, route.timeout.connectMs) : longest),
    0,
  );
}
