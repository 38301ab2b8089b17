/**
 * One configuration, compiled: a router over flat route objects whose every reference is resolved. Immutable;
 * a reload makes a new one. Owns the endpoints it uses until its last exchange has ended.
 * @module
 */

import type { CachePolicy, GatewayConfig, Route, Service } from '../config/gateway-model.ts';
import type { IdempotencyPolicy } from '../config/policies/idempotency.ts';
import { Balancer, type TargetState } from '../core/policy/balancer.ts';
import type { Breaker, BreakerLimits } from '../core/policy/breaker.ts';
import { compileQueryKey } from '../core/policy/cache/cache-key.ts';
import { OutlierWatch } from '../core/policy/outlier.ts';
import { RetryBudget } from '../core/policy/retry-budget.ts';
import { adoptBreaker, type BreakerTable, type RouteBreaker } from './breakers.ts';
import type { CompiledCache } from './cache/cache-run.ts';
import type { CompiledConcurrency, ConcurrencyTable } from './concurrency.ts';
import { compileTrust, type TrustCheck } from './forwarded.ts';
import type { SplitSlot } from './held-split.ts';
import type { KeyCounts } from './idempotency-metrics.ts';
import type { TokenVerifier } from './jwt-verifier.ts';
import { type ClientSeries, type GatewayMetrics, type RetryCounts, ServerSeries } from './metrics.ts';
import { randomFraction } from './random-ids.ts';
import type { Recorder, VersionCounter } from './recorder.ts';
import { type CompiledLimits, compileLimits } from './route-limits.ts';
import { compileRouter, type Router } from './router.ts';
import type { SplitTable } from './split-table.ts';
import { compileStickySources, type StickyRead } from './sticky.ts';
import type { Endpoint, EndpointRegistry } from './upstream/endpoint.ts';
import { adoptState, type Target, type TargetStates } from './upstream/target.ts';

export interface ServiceVersion {
  readonly name: string;
  readonly balancer: Balancer<Target>;
  /** Null: nothing is ejected. */
  readonly outliers: OutlierWatch<Target> | null;
  readonly counter: VersionCounter;
  readonly series: ClientSeries;
}

export interface CompiledService {
  readonly name: string;
  readonly versions: ReadonlyMap<string, ServiceVersion>;
  readonly defaultVersion: ServiceVersion;
  readonly split: SplitSlot;
  readonly sticky: readonly StickyRead[];
  readonly retryBudget: RetryBudget;
  readonly retries: RetryCounts;
  /** Cookies that the gateway issues for stickiness. */
  readonly ownCookies: ReadonlySet<string>;
  /** How its routes write the query in keys of the cache; empty: none of them caches. */
  readonly cachedQueries: readonly ((query: string) => string)[];
}

export interface CompiledRoute
  extends Omit<
    Route,
    'service' | 'auth' | 'breaker' | 'cache' | 'rateLimits' | 'quotas' | 'concurrency' | 'idempotency'
  > {
  /** What logs and metrics call the path: the template or prefix, never the path itself. */
  readonly pattern: string;
  readonly service: CompiledService;
  readonly auth: { readonly verify: TokenVerifier; readonly optional: boolean } | null;
  /** By version; null: the route has no breaker. */
  readonly breakers: ReadonlyMap<ServiceVersion, Breaker> | null;
  /** Null: none. */
  readonly limits: CompiledLimits | null;
  readonly concurrency: CompiledConcurrency | null;
  /** Null: it caches nothing. */
  readonly cache: CompiledCache | null;
  readonly idempotency: { readonly policy: IdempotencyPolicy; readonly counts: KeyCounts } | null;
  readonly series: ServerSeries;
}

export interface Snapshot {
  readonly config: GatewayConfig;
  readonly find: Router<CompiledRoute>;
  readonly isTrusted: TrustCheck;
  /** Series for requests without a route. */
  readonly unrouted: ServerSeries;
  inFlight: number;
  /** A newer snapshot took over: the endpoints are let go when `inFlight` reaches 0. */
  superseded: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly breakers: BreakerTable;
  readonly monotonicMs: () => number;
  readonly targetStates: TargetStates;
  readonly services: ReadonlyMap<string, CompiledService>;
}

export interface SnapshotParts {
  readonly splits: SplitTable;
  readonly recorder: Recorder;
  readonly metrics: GatewayMetrics;
  readonly concurrency: ConcurrencyTable;
  readonly endpoints: EndpointRegistry;
  /** By name of the provider, one for each of `config.jwt`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
}

/**
 * Compiles a checked configuration. Throws on one that the loader would have refused. What was learnt about
 * upstreams under `previous` goes on where it still applies.
 */
export function compileSnapshot(
  config: GatewayConfig,
  parts: SnapshotParts,
  previous: Snapshot | null,
): Snapshot {
  const used: Endpoint[] = [];
  try {
    return compile(config, parts, used, previous);
  } catch (error) {
    parts.endpoints.release(used);
    throw error;
  }
}

function compile(
  config: GatewayConfig,
  parts: SnapshotParts,
  used: Endpoint[],
  previous: Snapshot | null,
): Snapshot {
  const isTrusted = compileTrust(config.trustedProxies);
  const services = new Map<string, CompiledService>();
  const states = new Map<string, TargetState>();
  const stateOf: StateOf = (version, origin) =>
    adoptState(previous?.targetStates, states, version, origin, parts.endpoints.monotonicMs());
  for (const service of Object.values(config.services)) {
    const connectMs = config.routes.reduce(
      (longest, route) =>
        route.service === service.name ? Math.max(longest, route.timeout.connectMs) : longest,
      0,
    );
    services.set(
      service.name,
      compileService(service, connectMs, queryKeys(config, service.name), parts, used, stateOf),
    );
  }
  const breakers = new Map<string, RouteBreaker>();
  const routes = config.routes.map((route) =>
    compileRoute(route, services, parts, (limits, version) =>
      adoptBreaker(
        previous?.breakers,
        breakers,
        { service: route.service, route: route.name, version },
        limits,
      ),
    ),
  );
  return {
    config,
    find: compileRouter(routes),
    isTrusted,
    unrouted: new ServerSeries(parts.metrics, '', ''),
    inFlight: 0,
    superseded: false,
    endpoints: used,
    breakers,
    monotonicMs: parts.endpoints.monotonicMs,
    targetStates: states,
    services,
  };
}

type StateOf = (version: string, origin: string) => TargetState;

function compileService(
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

function compileRoute(
  route: Route,
  services: ReadonlyMap<string, CompiledService>,
  parts: SnapshotParts,
  breakerOf: (limits: BreakerLimits, version: string) => Breaker,
): CompiledRoute {
  const service = services.get(route.service);
  if (service === undefined) throw new Error(`route ${route.name} names no service: ${route.service}`);
  const { breaker } = route;
  const pattern = route.path.kind === 'prefix' ? `${route.path.path.replace(/\/$/, '')}/*` : route.path.path;
  const verify = route.auth === null ? undefined : parts.verifiers.get(route.auth.jwt);
  if (route.auth !== null && verify === undefined) {
    throw new Error(`route ${route.name} names no JWT provider: ${route.auth.jwt}`);
  }
  return {
    ...route,
    pattern,
    service,
    auth: route.auth === null || verify === undefined ? null : { verify, optional: route.auth.optional },
    breakers:
      breaker === null
        ? null
        : new Map([...service.versions.values()].map((each) => [each, breakerOf(breaker, each.name)])),
    concurrency: parts.concurrency.compile(route.concurrency, route.name, service.name, pattern),
    idempotency:
      route.idempotency === null
        ? null
        : { policy: route.idempotency, counts: parts.metrics.idempotency.counts(service.name, pattern) },
    limits: compileLimits(route, pattern, parts.metrics.limits),
    cache: route.cache === null ? null : compileCache(route.cache, service, pattern, parts.metrics),
    series: new ServerSeries(parts.metrics, service.name, pattern),
  };
}

/** One function for each different way in which routes of the service write a query. */
function queryKeys(config: GatewayConfig, service: string): ((query: string) => string)[] {
  const keyings = new Map<string, (query: string) => string>();
  for (const route of config.routes) {
    if (route.service !== service || route.cache === null) continue;
    const { query } = route.cache;
    keyings.set(JSON.stringify([query.sort, query.exclude]), compileQueryKey(query));
  }
  return [...keyings.values()];
}

function compileCache(
  policy: CachePolicy,
  service: CompiledService,
  pattern: string,
  metrics: GatewayMetrics,
): CompiledCache {
  return {
    policy,
    limits: policy,
    queryKey: compileQueryKey(policy.query),
    ownCookies: service.ownCookies,
    counts: metrics.cacheCounts(service.name, pattern),
  };
}

/** Counts an exchange out; the last one of a superseded snapshot lets its endpoints go. */
export function releaseExchange(snapshot: Snapshot, endpoints: EndpointRegistry): void {
  snapshot.inFlight -= 1;
  if (snapshot.superseded && snapshot.inFlight === 0) endpoints.release(snapshot.endpoints);
}
