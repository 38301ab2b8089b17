/**
 * The shape of `proxy/gateway.yaml`: the single source of its types, its checks and its JSON Schema.
 * Relations between parts (a route naming a missing service …) are in `gateway-config.ts`.
 * @module
 */

import * as z from 'zod';
import { accessLogField } from './policies/access-log.ts';
import { adaptiveField } from './policies/adaptive-schema.ts';
import { botsField } from './policies/bots.ts';
import { breakerField } from './policies/breaker-schema.ts';
import { cacheBudget, cacheField } from './policies/cache-schema.ts';
import { concurrencyField } from './policies/concurrency-schema.ts';
import { fallbackField, hedgeField } from './policies/fallback-schema.ts';
import { healthField } from './policies/health.ts';
import { idempotencyField } from './policies/idempotency-schema.ts';
import { authField, identityField } from './policies/identity-schema.ts';
import { ipField } from './policies/ip.ts';
import { lifecycleField } from './policies/lifecycle.ts';
import { limitFields } from './policies/limits-schema.ts';
import { listenerShape } from './policies/listeners-schema.ts';
import { mirrorField } from './policies/mirror-schema.ts';
import { outlierField } from './policies/outlier.ts';
import { PRESETS } from './policies/presets.ts';
import { purgeOnSuccessField } from './policies/purge-on-success.ts';
import { retryBudgetField, retryField } from './policies/retry.ts';
import { conditionFields } from './policies/route-conditions.ts';
import { segmentsField } from './policies/segments.ts';
import { timeoutField } from './policies/timeout.ts';
import { tracingField } from './policies/tracing.ts';
import { requestTrailersField, trailersField } from './policies/trailers.ts';
import { transcodeField } from './policies/transcode.ts';
import { transformFields } from './policies/transform.ts';
import { upgradeField } from './policies/upgrade.ts';
import { tlsField } from './policies/upstream-tls.ts';
import {
  localZoneField,
  protocolField,
  resolverField,
  versionShape,
  zoneField,
} from './policies/upstreams-schema.ts';
import { duration, headerName, listenAddress, name, trustClient } from './primitives.ts';

const HOUR = 3_600_000;

/** Where the sticky key of a request comes from; the first source in the list that yields one wins. */
const stickySource = z.union(
  [
    z
      .strictObject({ claim: z.string().min(1).max(64) })
      .meta({ description: 'Claim of the validated JWT, such as sub.' }),
    z
      .strictObject({ header: headerName, trustClient })
      .meta({ description: 'Request header. The client chooses it: prefer a claim.' }),
    z
      .strictObject({ cookie: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/) })
      .meta({ description: 'Cookie that the gateway issues when it is missing.' }),
    z.literal('ip').meta({ description: 'Client address, behind trusted proxies the forwarded one.' }),
  ],
  { error: 'expected one of { claim: sub }, { header: x-user-id }, { cookie: sluice_id }, ip' },
);

const service = z.strictObject({
  versions: z
    .record(name, versionShape)
    .refine((versions) => Object.keys(versions).length > 0, { error: 'expected at least one version' }),
  default: name.optional().meta({
    description: 'Version that serves everything until an operator says otherwise. Default: the first.',
  }),
  sticky: z.array(stickySource).min(1).max(8).optional().meta({
    description: 'Sources of the sticky key in order of preference. Default: the gateway cookie, then ip.',
  }),
  balance: z.enum(['roundRobin', 'leastRequests', 'hash']).default('roundRobin').meta({
    description:
      'How attempts spread over the endpoints of a version: in turn, to the less busy of two, or by the sticky key.',
  }),
  outlier: outlierField,
  retryBudget: retryBudgetField,
  health: healthField,
  localZone: localZoneField,
  tls: tlsField,
  protocol: protocolField,
  trailers: trailersField,
  requestTrailers: requestTrailersField,
  segments: segmentsField,
  slowStart: duration(0, HOUR).optional().meta({
    description: 'A new or recovered endpoint gets its full share only after this time. Default: at once.',
  }),
  salt: z.string().min(1).max(128).optional().meta({
    description: 'Seeds the assignment of versions outside a rollout. Default: the name of the service.',
  }),
});

/** Everything that a named policy or a route may set. */
const policyFields = {
  timeout: timeoutField,
  retry: retryField,
  breaker: breakerField,
  fallback: fallbackField,
  hedge: hedgeField,
  cache: cacheField,
  purgeOnSuccess: purgeOnSuccessField,
  auth: authField,
  maxBodyBytes: z
    .int()
    .min(0)
    .max(1_073_741_824)
    .optional()
    .meta({ description: 'Larger request bodies get 413. Default 10 MiB.' }),
  ...limitFields,
  concurrency: concurrencyField,
  adaptive: adaptiveField,
  mirror: mirrorField,
  idempotency: idempotencyField,
  ip: ipField,
  bots: botsField,
  upgrade: upgradeField,
  transcode: transcodeField,
  lifecycle: lifecycleField,
  ...transformFields,
};

/** Of the file, or one that is always there. */
const policyName = z
  .string({ error: 'expected the name of a policy' })
  .regex(/^(?:preset\/)?[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, {
    error: 'expected the name of a policy, or a preset such as preset/read',
  });

const policy = z.strictObject({ extends: policyName.optional(), ...policyFields });

/** The presets, as a file would give them. */
export const presets = z.record(z.string(), policy).parse(PRESETS);

const method = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

const match = z.strictObject({
  methods: z.array(method).min(1).optional().meta({ description: 'Default: all.' }),
  host: z
    .string()
    .regex(/^[a-z0-9.-]+$/, { error: 'expected a host name in lower case, without port' })
    .optional(),
  path: z
    .string()
    .regex(/^\/[^\s?#]*$/, { error: 'expected a path such as /orders or /orders/{id}' })
    .optional()
    .meta({ description: 'Exact path, or a template with {parameters} for whole segments.' }),
  prefix: z
    .string()
    .regex(/^\/[^\s?#{}]*$/, { error: 'expected a path prefix such as /orders' })
    .optional()
    .meta({ description: 'The path itself and everything below it.' }),
  ...conditionFields,
});

const route = z.strictObject({
  name,
  match,
  service: name,
  policy: policyName.optional(),
  ...policyFields,
});

export const gatewaySchema = z.strictObject({
  name: name.optional().meta({ description: 'Unique name of this gateway. Default: host name and port.' }),
  zone: zoneField.optional().meta({ description: 'Where this gateway runs. Default: unknown.' }),
  listeners: z.array(listenerShape).min(1).max(16),
  admin: z
    .strictObject({ address: listenAddress })
    .optional()
    .meta({ description: '/metrics, /healthz, /readyz. Default 127.0.0.1:9090.' }),
  trustedProxies: z.array(z.string()).optional().meta({
    description: 'Addresses or CIDR ranges whose X-Forwarded-* fields are believed. Default: none.',
  }),
  accessLog: accessLogField,
  tracing: tracingField,
  drain: duration(0, HOUR)
    .optional()
    .meta({ description: 'On SIGTERM, time that requests in flight get to end. Default 30s.' }),
  cache: cacheBudget,
  resolver: resolverField,
  identity: identityField,
  services: z
    .record(name, service)
    .refine((services) => Object.keys(services).length > 0, { error: 'expected at least one service' }),
  policies: z.record(name, policy).optional(),
  routes: z.array(route).min(1).max(10_000),
});

export type GatewayYaml = z.output<typeof gatewaySchema>;
export type StickySource = z.output<typeof stickySource>;
