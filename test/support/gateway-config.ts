/**
 * Builds gateway configurations by hand for tests of the data plane, so that they do not depend on the loader.
 * @module
 */

import type { GatewayConfig, Route, Service } from '../../src/config/gateway-model.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerConfig } from '../../src/config/policies/listeners.ts';
import type { UpstreamTls } from '../../src/config/policies/upstream-tls.ts';
import type { EndpointAddress } from '../../src/config/policies/upstreams.ts';
import { DEFAULT_RETRY_BUDGET } from '../../src/core/policy/retry-budget.ts';

export const ANY_PORT = { host: '127.0.0.1', port: 0 } as const;

/** A route to `service` with generous limits, matching everything unless told otherwise. */
export function routeOf(service: string, changes: Partial<Route> = {}): Route {
  return {
    name: `${service}-all`,
    methods: null,
    host: null,
    path: { kind: 'prefix', path: '/' },
    conditions: [],
    service,
    timeout: { connectMs: 1_000, responseMs: 2_000, idleMs: 2_000, totalMs: 5_000 },
    retry: null,
    breaker: null,
    fallback: null,
    hedge: null,
    cache: null,
    purgeOnSuccess: [],
    auth: null,
    maxBodyBytes: 1_048_576,
    rateLimits: [],
    quotas: [],
    concurrency: null,
    adaptive: null,
    mirror: null,
    idempotency: null,
    ip: null,
    bots: null,
    upgrade: null,
    transcode: null,
    lifecycle: null,
    transform: null,
    ...changes,
  };
}

/** An endpoint with a fixed address. */
export function endpointOf(url: string, changes: Partial<EndpointAddress> = {}): EndpointAddress {
  return { url, weight: 1, zone: '', priority: 0, servername: '', ...changes };
}

/** Public authorities, no certificate of the gateway's own. */
export const PLAIN_TLS: UpstreamTls = { ca: null, cert: null, key: null, servername: null, verify: true };

/** HTTP/1.1 without certificates. */
export const PLAIN = { tls: PLAIN_TLS, protocol: 'http1' } as const;

/** A service from version names and endpoint URLs; the first version is the default. */
export function serviceOf(
  name: string,
  versions: Readonly<Record<string, readonly string[]>>,
  changes: Partial<Service> = {},
): Service {
  return {
    name,
    versions: Object.fromEntries(
      Object.entries(versions).map(([version, urls]) => [
        version,
        { endpoints: urls.map((url) => endpointOf(url)), ...PLAIN },
      ]),
    ),
    defaultVersion: Object.keys(versions)[0] ?? '',
    balance: 'roundRobin',
    slowStartMs: 0,
    outlier: null,
    retryBudget: DEFAULT_RETRY_BUDGET,
    trailers: [],
    requestTrailers: [],
    segments: [],
    health: null,
    localZone: null,
    sticky: [{ header: 'x-user-id' }, 'ip'],
    salt: name,
    ...changes,
  };
}

/** Plain http on a free port of the loopback address. */
export function listenerOf(changes: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    address: ANY_PORT,
    tls: null,
    hsts: null,
    http2: false,
    redirectPort: null,
    ip: null,
    proxyProtocol: null,
    limits: DEFAULT_LISTENER_LIMITS,
    ...changes,
  };
}

/** One listener on a free port of the loopback address, no access log, no grace on draining. */
export function gatewayConfigOf(
  services: readonly Service[],
  changes: Partial<GatewayConfig> = {},
): GatewayConfig {
  return {
    path: '/nowhere/gateway.yaml',
    name: null,
    zone: '',
    listeners: [listenerOf()],
    admin: { address: ANY_PORT },
    trustedProxies: [],
    accessLog: { kind: 'off' },
    logRules: { share: 1, errors: true, slowMs: null, redacted: new Set() },
    tracing: null,
    drainMs: 2_000,
    cacheBytes: 16_777_216,
    cacheRedis: false,
    jwt: {},
    introspection: {},
    apiKeys: {},
    tenantClaim: 'tenant_id',
    resolver: { servers: [], timeoutMs: 2_000 },
    services: Object.fromEntries(services.map((service) => [service.name, service])),
    routes: services.map((service) => routeOf(service.name)),
    ...changes,
  };
}
