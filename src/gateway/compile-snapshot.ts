/**
 * Compiles a configuration into a snapshot, with what was learnt under the one before. Knows the order in which
 * parts need each other; the parts themselves are compiled next door.
 * @module
 */

import type { GatewayConfig } from '../config/gateway-model.ts';
import type { TargetState } from '../core/policy/balancer.ts';
import { adoptBreaker, type RouteBreaker } from './breakers.ts';
import { compileRoute } from './compile-route.ts';
import { compileService, queryKeys, type StateOf } from './compile-service.ts';
import { compileTrust } from './forwarded.ts';
import { ServerSeries } from './metrics.ts';
import { compileRouter } from './router.ts';
import type { CompiledService, Snapshot, SnapshotParts } from './snapshot.ts';
import type { Endpoint } from './upstream/endpoint.ts';
import { adoptState } from './upstream/target.ts';

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
