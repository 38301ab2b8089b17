/**
 * Compiles a configuration into a snapshot, with what was learnt under the one before. Knows the order in which
 * parts need each other; the parts themselves are compiled next door.
 * @module
 */

import type { GatewayConfig } from '../config/gateway-model.ts';
import type { AdaptivePolicy } from '../config/policies/adaptive.ts';
import type { BreakerPolicy } from '../config/policies/breaker.ts';
import type { MirrorPolicy } from '../config/policies/mirror.ts';
import { adoptLimiter, type VersionLimiter } from './adaptive.ts';
import { adoptBreaker, breakerKey, type RouteBreaker, VersionBreakers } from './breakers.ts';
import { compileRoute } from './compile-route.ts';
import { compileService } from './compile-service.ts';
import { compileTrust } from './forwarded.ts';
import { identityFields } from './identity/forwarded-identity.ts';
import { ServerSeries } from './metrics.ts';
import { adoptMirror, type MirrorPlace, type MirrorState } from './mirror/mirror-table.ts';
import { type MirroredRoute, RolloutMirror } from './mirror/rollout-mirror.ts';
import { compileRouter } from './router.ts';
import type { CompiledService, ServiceVersion, Snapshot, SnapshotParts } from './snapshot.ts';
import type { TargetSet } from './upstream/target-set.ts';

/**
 * Compiles a checked configuration. Throws on one that the loader would have refused. What was learnt about
 * upstreams under `previous` goes on where it still applies.
 */
export function compileSnapshot(
  config: GatewayConfig,
  parts: SnapshotParts,
  previous: Snapshot | null,
): Snapshot {
  const used: TargetSet[] = [];
  try {
    return compile(config, parts, used, previous);
  } catch (error) {
    for (const targets of used) targets.close();
    throw error;
  }
}

function compile(
  config: GatewayConfig,
  parts: SnapshotParts,
  used: TargetSet[],
  previous: Snapshot | null,
): Snapshot {
  const isTrusted = compileTrust(config.trustedProxies);
  const services = new Map<string, CompiledService>();
  for (const service of Object.values(config.services)) {
    services.set(service.name, compileService(service, config, parts, used));
  }
  const breakers = new Map<string, RouteBreaker>();
  const limiters = new Map<string, VersionLimiter>();
  const mirrors = new Map<string, MirrorState>();
  const routes = config.routes.map((route) => {
    const placeOf = ({ name }: ServiceVersion) => ({
      service: route.service,
      route: route.name,
      version: name,
    });
    const breakerOf = ({ per, ...limits }: BreakerPolicy, version: ServiceVersion) => {
      const place = placeOf(version);
      return new VersionBreakers(per, {
        targets: () => version.balancer.targets,
        adopt: (endpoint) => adoptBreaker(previous?.breakers, breakers, { ...place, endpoint }, limits),
        forget: (endpoint) => {
          breakers.delete(breakerKey({ ...place, endpoint }));
        },
      });
    };
    const limiterOf = ({ limits }: AdaptivePolicy, version: ServiceVersion) =>
      adoptLimiter(previous?.limiters, limiters, placeOf(version), limits);
    const mirrorOf = (policy: MirrorPolicy, place: MirrorPlace) =>
      adoptMirror(previous?.mirrors, mirrors, place, policy, parts.clock.nowMs());
    const rolloutMirrorOf = (mirrored: MirroredRoute) =>
      new RolloutMirror(mirrored, mirrors, previous?.mirrors, () => parts.clock.nowMs());
    return compileRoute(route, config, services, parts, breakerOf, limiterOf, mirrorOf, rolloutMirrorOf);
  });
  return {
    config,
    find: compileRouter(routes),
    isTrusted,
    identityFields: identityFields(config),
    unrouted: new ServerSeries(parts.metrics, null),
    inFlight: 0,
    superseded: false,
    targetSets: used,
    breakers,
    limiters,
    mirrors,
    monotonicMs: parts.upstreams.monotonicMs,
    services,
  };
}
