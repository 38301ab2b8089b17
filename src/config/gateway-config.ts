/**
 * Loads the text of `proxy/gateway.yaml` to a {@link GatewayConfig}, or to findings with their places.
 * Owns the relations between its parts and the defaults; reads no secret, and no file unless it is told to.
 * @module
 */

import type { LoadResult } from './diagnostic.ts';
import { suggestion } from './edit-distance.ts';
import type { ConfigFile } from './findings.ts';
import type { GatewayConfig, Route, Service } from './gateway-model.ts';
import { checkPolicyFields, completePolicy, mergePolicy, resolvePolicies } from './gateway-policies.ts';
import { checkRouteReferences, createDuplicateCheck, readPathMatch } from './gateway-routes.ts';
import { type GatewayYaml, gatewaySchema, presets, type StickySource } from './gateway-schema.ts';
import { checkNamedFiles } from './named-files.ts';
import { logDestination, logRules } from './policies/access-log.ts';
import { checkRouteAdaptive } from './policies/adaptive.ts';
import { checkRouteCache } from './policies/cache.ts';
import { checkHealth, completeHealth } from './policies/health.ts';
import { checkIdempotencyCallers } from './policies/idempotency.ts';
import {
  checkRouteAuth,
  completeApiKeys,
  completeIntrospection,
  completeJwtProviders,
} from './policies/identity.ts';
import { checkRanges } from './policies/ip.ts';
import { checkRouteLifecycle } from './policies/lifecycle.ts';
import { checkLimitClaims } from './policies/limits.ts';
import { checkListener, completeListener, type ListenerConfig } from './policies/listeners.ts';
import { checkRouteMirror } from './policies/mirror.ts';
import { completeOutlier } from './policies/outlier.ts';
import { checkRoutePurges } from './policies/purge-on-success.ts';
import { completeRetryBudget } from './policies/retry.ts';
import { readConditions } from './policies/route-conditions.ts';
import { checkSegments, completeSegments } from './policies/segments.ts';
import { completeTracing } from './policies/tracing.ts';
import { checkRouteTranscode, placedTranscode } from './policies/transcode.ts';
import { checkRouteTransform } from './policies/transform.ts';
import { checkRouteUpgrade } from './policies/upgrade.ts';
import { completeLocalZone, completeResolver, completeVersions } from './policies/upstreams.ts';
import { checkIsMap, checkSchema } from './schema-check.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

const DEFAULT_ADMIN = { host: '127.0.0.1', port: 9090 } as const;
const DEFAULT_DRAIN_MS = 30_000;
const DEFAULT_CACHE_BYTES = 67_108_864;
const DEFAULT_TENANT_CLAIM = 'tenant_id';
const DEFAULT_STICKY: readonly StickySource[] = [{ cookie: 'sluice_id' }, 'ip'];

export interface LoadOptions {
  /** The files that it names are read and checked too. Default: files on disk are not looked at. */
  readonly namedFiles?: boolean;
}

/** Pure unless named files are to be read: the same text gives the same result. */
export function loadGatewayConfig(file: ConfigFile, options: LoadOptions = {}): LoadResult<GatewayConfig> {
  const source = parseYaml(file);
  const sources = { [file.name]: file.text };
  const yaml = checkIsMap(source, 'listeners, services and routes')
    ? checkSchema(source, gatewaySchema)
    : undefined;
  const config = yaml && buildConfig(source, yaml, options);
  const value = config && !source.findings.hasErrors() ? config : null;
  return { value, diagnostics: source.findings.list(), sources };
}

function buildConfig(source: YamlSource, yaml: GatewayYaml, options: LoadOptions): GatewayConfig {
  checkRanges(source, ['trustedProxies'], yaml.trustedProxies ?? []);
  if (options.namedFiles === true) checkNamedFiles(source, yaml);
  const listeners = buildListeners(source, yaml);
  const routes = buildRoutes(source, yaml, listeners);
  const services: Record<string, Service> = {};
  for (const [name, service] of Object.entries(yaml.services)) {
    services[name] = buildService(source, name, service);
    checkSticky(source, name, service.sticky ?? [], routes);
  }
  return {
    path: source.file.absolutePath,
    name: yaml.name ?? null,
    zone: yaml.zone ?? '',
    listeners,
    admin: yaml.admin ?? { address: DEFAULT_ADMIN },
    trustedProxies: yaml.trustedProxies ?? [],
    accessLog: logDestination(yaml.accessLog, source.file.absolutePath),
    logRules: logRules(yaml.accessLog),
    tracing: completeTracing(yaml.tracing),
    drainMs: yaml.drain ?? DEFAULT_DRAIN_MS,
    cacheRedis: yaml.cache?.redis ?? false,
    cacheBytes: yaml.cache?.bytes ?? DEFAULT_CACHE_BYTES,
    jwt: completeJwtProviders(yaml.identity?.jwt ?? {}),
    introspection: completeIntrospection(yaml.identity?.introspection ?? {}),
    apiKeys: completeApiKeys(yaml.identity?.apiKeys ?? {}, source.file.absolutePath),
    tenantClaim: yaml.identity?.tenantClaim ?? DEFAULT_TENANT_CLAIM,
    resolver: completeResolver(yaml.resolver),
    services,
    routes,
  };
}

function buildListeners(source: YamlSource, yaml: GatewayYaml): ListenerConfig[] {
  return yaml.listeners.map((written, index) => {
    const listener = completeListener(written, source.file.absolutePath);
    checkListener(source, ['listeners', index], written);
    return listener;
  });
}

function buildService(source: YamlSource, name: string, yaml: GatewayYaml['services'][string]): Service {
  const versions = Object.keys(yaml.versions);
  const defaultVersion = yaml.default ?? versions[0] ?? '';
  if (!versions.includes(defaultVersion)) {
    source.findings.error(
      source.valueRange(['services', name, 'default']),
      `the service "${name}" has no version "${defaultVersion}"`,
      suggestion(defaultVersion, versions),
    );
  }
  checkHealth(source, ['services', name], yaml.health);
  checkSegments(source, ['services', name, 'segments'], yaml.segments);
  return {
    name,
    versions: completeVersions(source, ['services', name], yaml.versions, yaml),
    balance: yaml.balance,
    slowStartMs: yaml.slowStart ?? 0,
    outlier: completeOutlier(yaml.outlier),
    retryBudget: completeRetryBudget(yaml.retryBudget),
    trailers: yaml.trailers ?? [],
    requestTrailers: yaml.requestTrailers ?? [],
    segments: completeSegments(yaml.segments),
    health: completeHealth(yaml.health),
    localZone: completeLocalZone(yaml.localZone),
    defaultVersion,
    sticky: yaml.sticky ?? DEFAULT_STICKY,
    salt: yaml.salt ?? name,
  };
}

function checkSticky(
  source: YamlSource,
  name: string,
  sticky: readonly StickySource[],
  routes: readonly Route[],
): void {
  const authenticated = routes.some((route) => route.service === name && route.auth !== null);
  for (const [index, entry] of sticky.entries()) {
    if (entry === 'ip' || 'cookie' in entry) continue;
    const path = ['services', name, 'sticky', index];
    if ('header' in entry) {
      if (entry.trustClient) continue;
      source.findings.warning(
        source.valueRange([...path, 'header']),
        'the client sends this header, so it can choose its version by changing it',
        'prefer a claim of a validated token, or a cookie; trustClient: true beside it accepts that',
      );
    } else if (!authenticated) {
      source.findings.warning(
        source.valueRange([...path, 'claim']),
        `no route of "${name}" validates a token, so there is never a claim "${entry.claim}"`,
        'add auth to the route or to its policy',
      );
    }
  }
}

function buildRoutes(
  source: YamlSource,
  yaml: GatewayYaml,
  listeners: readonly ListenerConfig[],
): readonly Route[] {
  const policies = yaml.policies ?? {};
  const serviceNames = Object.keys(yaml.services);
  const policyNames = [...Object.keys(policies), ...Object.keys(presets)];
  const known = {
    providers: {
      jwt: Object.keys(yaml.identity?.jwt ?? {}),
      introspection: Object.keys(yaml.identity?.introspection ?? {}),
      apiKey: Object.keys(yaml.identity?.apiKeys ?? {}),
    },
    services: serviceNames,
  };
  for (const [name, policy] of Object.entries(policies)) {
    checkPolicyFields(source, ['policies', name], policy, known);
  }
  const resolved = resolvePolicies(source, { ...policies, ...presets });
  const checkDuplicate = createDuplicateCheck(source);
  const routes: Route[] = [];
  for (const [index, route] of yaml.routes.entries()) {
    checkRouteReferences(source, index, route, serviceNames, policyNames);
    checkPolicyFields(source, ['routes', index], route, known);
    const path = readPathMatch(source, index, route.match);
    checkDuplicate(index, route, path);
    if (!path) continue;
    const inherited = route.policy === undefined ? undefined : resolved.get(route.policy);
    const merged = mergePolicy(inherited ?? {}, route);
    const policy = completePolicy(merged);
    const ofPolicy = policies[route.policy ?? '']?.lifecycle;
    checkRouteLifecycle(source, index, route, ofPolicy, merged.lifecycle);
    checkRouteAuth(source, ['routes', index], route.name, policy.auth);
    checkLimitClaims(source, ['routes', index], route.name, policy.auth !== null, [
      ...policy.rateLimits.map(({ key }) => key),
      ...policy.quotas.map(({ key }) => key),
      policy.concurrency?.perKey?.key ?? [],
    ]);
    const mirrored = { name: route.name, service: route.service, policy: policy.mirror };
    checkRouteMirror(source, ['routes', index], mirrored, yaml.services);
    checkRouteAdaptive(source, ['routes', index], route.name, policy.auth !== null, policy.adaptive);
    checkIdempotencyCallers(source, ['routes', index], route.name, policy.auth !== null, policy.idempotency);
    checkRouteTransform(source, ['routes', index], {
      name: route.name,
      path,
      authenticated: policy.auth !== null,
      transform: policy.transform,
      ownJson: route.json !== undefined,
      transcodes: policy.transcode !== null,
      maxBodyBytes: policy.maxBodyBytes,
    });
    const named = ['routes', index, 'name'];
    checkRouteCache(source, named, policy, listeners);
    const { methods } = route.match;
    const changing = { name: route.name, path, authenticated: policy.auth !== null, methods };
    checkRoutePurges(source, ['routes', index], changing, policy.purgeOnSuccess);
    checkRouteUpgrade(source, named, policy.upgrade, yaml.services[route.service]);
    checkRouteTranscode(source, named, policy, yaml.services[route.service]);
    routes.push({
      name: route.name,
      methods: route.match.methods ? [...new Set(route.match.methods)] : null,
      host: route.match.host ?? null,
      path,
      conditions: readConditions(route.match),
      service: route.service,
      ...policy,
      transcode: placedTranscode(policy.transcode, source.file.absolutePath),
    });
  }
  return routes;
}
