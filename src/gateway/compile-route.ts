/**
 * Compiles one route: every reference resolved, every policy of it ready to run. Knows what a snapshot needs of a
 * route, not how services are compiled.
 * @module
 */

import type { CachePolicy, GatewayConfig, Route } from '../config/gateway-model.ts';
import type { AdaptivePolicy } from '../config/policies/adaptive.ts';
import type { BreakerPolicy } from '../config/policies/breaker.ts';
import type { FallbackPolicy } from '../config/policies/fallback.ts';
import type { MirrorPolicy } from '../config/policies/mirror.ts';
import { compileQueryKey, compileQueryRest } from '../core/policy/cache/cache-key.ts';
import { compilePriority, type VersionLimiter } from './adaptive.ts';
import { compileBots } from './bots.ts';
import type { VersionBreakers } from './breakers.ts';
import type { CacheCounts, CompiledCache } from './cache/cache-run.ts';
import { compilePurgeRules } from './cache/purge-rules.ts';
import { routeCallers } from './cache/route-callers.ts';
import { compileTranscoding } from './grpc/compile-transcoding.ts';
import { compileAuth } from './identity/compile-auth.ts';
import type { LabelledRoute } from './metric-labels.ts';
import { ServerSeries } from './metrics.ts';
import type { MirrorPlace, MirrorState } from './mirror/mirror-table.ts';
import type { MirroredRoute, RolloutMirror } from './mirror/rollout-mirror.ts';
import { compileLimits } from './route-limits.ts';
import type {
  CompiledAdaptive,
  CompiledFallback,
  CompiledMirror,
  CompiledRoute,
  CompiledService,
  ServiceVersion,
  SnapshotParts,
} from './snapshot.ts';
import { compileTransform } from './transform/compile-transform.ts';

export function compileRoute(
  route: Route,
  config: GatewayConfig,
  services: ReadonlyMap<string, CompiledService>,
  parts: SnapshotParts,
  breakerOf: (policy: BreakerPolicy, version: ServiceVersion) => VersionBreakers,
  limiterOf: (policy: AdaptivePolicy, version: ServiceVersion) => VersionLimiter,
  mirrorOf: (policy: MirrorPolicy, place: MirrorPlace) => MirrorState,
  rolloutMirrorOf: (route: MirroredRoute) => RolloutMirror,
): CompiledRoute {
  const service = services.get(route.service);
  if (service === undefined) throw new Error(`route ${route.name} names no service: ${route.service}`);
  const { breaker } = route;
  const pattern = route.path.kind === 'prefix' ? `${route.path.path.replace(/\/$/, '')}/*` : route.path.path;
  const { auth } = route;
  const labelled: LabelledRoute = { name: route.name, pattern, service };
  return {
    ...route,
    pattern,
    service,
    auth:
      auth === null
        ? null
        : compileAuth({ ...route, auth }, config, parts.verifiers, parts.metrics.auth.counts(labelled)),
    bots: route.bots === null ? null : compileBots(route.bots, parts.metrics.bots.counts(labelled)),
    breakers:
      breaker === null
        ? null
        : new Map([...service.versions.values()].map((each) => [each, breakerOf(breaker, each)])),
    fallback: route.fallback === null ? null : compileFallback(route.fallback, services),
    concurrency: parts.concurrency.compile(route.concurrency, labelled),
    adaptive: route.adaptive === null ? null : compileAdaptive(route.adaptive, service, limiterOf),
    mirror:
      route.mirror === null ? null : compileMirror(route.name, route.mirror, service, services, mirrorOf),
    rolloutMirror:
      route.unmirrored === true ? null : rolloutMirrorOf({ name: route.name, policy: route.mirror, service }),
    idempotency:
      route.idempotency === null
        ? null
        : { policy: route.idempotency, counts: parts.metrics.idempotency.counts(labelled) },
    lifecycle:
      route.lifecycle === null
        ? null
        : {
            policy: route.lifecycle,
            counts: parts.metrics.lifecycle.counts(labelled),
          },
    limits: compileLimits(route, labelled, parts.metrics.limits),
    cache:
      route.cache === null
        ? null
        : compileCache(route.cache, route, config, service, parts.metrics.cacheCounts(labelled)),
    purges: compilePurgeRules(route.purgeOnSuccess, route.path, service.name),
    transform: compileTransform(route, (direction) => parts.metrics.bodies.counts(labelled, direction)),
    transcoding: route.transcode === null ? null : compileTranscoding(route.transcode),
    tunnels: route.upgrade === null ? null : parts.metrics.tunnels.counts(labelled),
    series: new ServerSeries(parts.metrics, labelled),
  };
}

function compileAdaptive(
  policy: AdaptivePolicy,
  service: CompiledService,
  limiterOf: (policy: AdaptivePolicy, version: ServiceVersion) => VersionLimiter,
): CompiledAdaptive {
  return {
    waitMs: policy.waitMs,
    priorityOf: compilePriority(policy.priority),
    limiters: new Map([...service.versions.values()].map((each) => [each, limiterOf(policy, each)])),
  };
}

function compileMirror(
  route: string,
  policy: MirrorPolicy,
  own: CompiledService,
  services: ReadonlyMap<string, CompiledService>,
  mirrorOf: (policy: MirrorPolicy, place: MirrorPlace) => MirrorState,
): CompiledMirror {
  const service = policy.service === null ? own : services.get(policy.service);
  const version = policy.version === null ? service?.defaultVersion : service?.versions.get(policy.version);
  if (service === undefined || version === undefined)
    throw new Error(`a mirror of ${route} names no version`);
  const state = mirrorOf(policy, { service: own.name, route, candidate: `${service.name}/${version.name}` });
  return { policy, version, methods: new Set(policy.methods), state };
}

function compileFallback(
  { on, to }: FallbackPolicy,
  services: ReadonlyMap<string, CompiledService>,
): CompiledFallback {
  if (to.kind === 'response') return { on, to: { ...to, body: Buffer.from(to.body) } };
  const service = services.get(to.service);
  if (service === undefined) throw new Error(`a fallback names no service: ${to.service}`);
  return { on, to: { kind: 'service', service } };
}

function compileCache(
  policy: CachePolicy,
  route: Route,
  config: GatewayConfig,
  service: CompiledService,
  counts: CacheCounts,
): CompiledCache {
  return {
    policy,
    limits: policy,
    queryKey: compileQueryKey(policy.query),
    queryRest: policy.query.forward ? null : compileQueryRest(policy.query.exclude),
    ownCookies: service.ownCookies,
    callerFields: routeCallers(policy, route, config),
    counts,
  };
}
