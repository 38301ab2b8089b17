/**
 * The gateway configuration after loading: defaults filled in, policies merged into routes, references checked,
 * secrets not yet read. What the data plane compiles its routes from; knows no YAML.
 * @module
 */

import type { BalanceKind } from '../core/policy/balancer.ts';
import type { BotRules } from '../core/policy/bots.ts';
import type { QueryKeying } from '../core/policy/cache/cache-key.ts';
import type { FreshnessLimits } from '../core/policy/cache/freshness.ts';
import type { SetCookieRule } from '../core/policy/cache/set-cookie.ts';
import type { LifecyclePolicy } from '../core/policy/lifecycle.ts';
import type { LogRules } from '../core/policy/log-sampling.ts';
import type { OutlierLimits } from '../core/policy/outlier.ts';
import type { RetryBudgetLimits } from '../core/policy/retry-budget.ts';
import type { RouteCondition } from '../core/policy/route-condition.ts';
import type { StickySource } from './gateway-schema.ts';
import type { LogDestination } from './policies/access-log.ts';
import type { AdaptivePolicy } from './policies/adaptive.ts';
import type { BreakerPolicy } from './policies/breaker.ts';
import type { ConcurrencyPolicy } from './policies/concurrency.ts';
import type { FallbackPolicy, HedgePolicy } from './policies/fallback.ts';
import type { HealthPolicy } from './policies/health.ts';
import type { IdempotencyPolicy } from './policies/idempotency.ts';
import type { ApiKeyProvider, AuthPolicy, IntrospectionProvider, JwtProvider } from './policies/identity.ts';
import type { IpPolicy } from './policies/ip.ts';
import type { RouteLimits } from './policies/limits.ts';
import type { ListenerConfig } from './policies/listeners.ts';
import type { MirrorPolicy } from './policies/mirror.ts';
import type { PurgeRule } from './policies/purge-on-success.ts';
import type { RetryPolicy } from './policies/retry.ts';
import type { SegmentSource } from './policies/segments.ts';
import type { TimeoutPolicy } from './policies/timeout.ts';
import type { TracingSettings } from './policies/tracing.ts';
import type { TranscodePolicy } from './policies/transcode.ts';
import type { TransformPolicy } from './policies/transform.ts';
import type { UpgradePolicy } from './policies/upgrade.ts';
import type { ResolverSettings, VersionUpstream } from './policies/upstreams.ts';
import type { ListenAddress } from './primitives.ts';

export interface GatewayConfig {
  /** Absolute path of the file that it came from; relative paths in it are relative to its folder. */
  readonly path: string;
  readonly name: string | null;
  /** Empty: unknown. */
  readonly zone: string;
  readonly listeners: readonly ListenerConfig[];
  readonly admin: { readonly address: ListenAddress };
  readonly trustedProxies: readonly string[];
  readonly accessLog: LogDestination;
  readonly logRules: LogRules;
  /** Null: no traces are kept. */
  readonly tracing: TracingSettings | null;
  readonly drainMs: number;
  readonly jwt: Readonly<Record<string, JwtProvider>>;
  readonly introspection: Readonly<Record<string, IntrospectionProvider>>;
  readonly apiKeys: Readonly<Record<string, ApiKeyProvider>>;
  /** Claim that the access log calls tenant. */
  readonly tenantClaim: string;
  readonly resolver: ResolverSettings;
  readonly services: Readonly<Record<string, Service>>;
  /** What stored responses may take of the memory of one gateway. */
  readonly cacheBytes: number;
  /** Gateways share stored responses through the backend. */
  readonly cacheRedis: boolean;
  readonly routes: readonly Route[];
}

export interface Service {
  readonly name: string;
  /** In the order of the file, which is also the order of the split's layout. */
  readonly versions: Readonly<Record<string, VersionUpstream>>;
  readonly balance: BalanceKind;
  readonly slowStartMs: number;
  /** Null: endpoints that fail are not ejected. */
  readonly outlier: OutlierLimits | null;
  readonly retryBudget: RetryBudgetLimits;
  /** Response trailers that are passed on, lower case. */
  readonly trailers: readonly string[];
  /** Request trailers that upstreams get, lower case. */
  readonly requestTrailers: readonly string[];
  /** By which parts of its traffic attempts are counted apart. */
  readonly segments: readonly SegmentSource[];
  /** Null: endpoints are not checked. */
  readonly health: HealthPolicy | null;
  /** 0–1: with this share of the endpoints in the gateway's zone well, attempts stay there. Null: zones do not matter. */
  readonly localZone: number | null;
  readonly defaultVersion: string;
  readonly sticky: readonly StickySource[];
  readonly salt: string;
}

export type PathMatch =
  | { readonly kind: 'exact'; readonly path: string }
  /** `/orders/{id}`: each parameter is one whole segment. */
  | { readonly kind: 'template'; readonly path: string }
  /** Matches the path itself and everything below it: `/orders` matches `/orders` and `/orders/1`, not `/ordersX`. */
  | { readonly kind: 'prefix'; readonly path: string };

export interface Route extends RouteLimits {
  readonly name: string;
  /** Null: all methods. */
  readonly methods: readonly string[] | null;
  /** Null: any host. */
  readonly host: string | null;
  readonly path: PathMatch;
  /** All must hold; such routes go before others at the same place. */
  readonly conditions: readonly RouteCondition[];
  readonly service: string;
  readonly timeout: TimeoutPolicy;
  /** Null: no retries. */
  readonly retry: RetryPolicy | null;
  /** Null: no circuit breaker. */
  readonly breaker: BreakerPolicy | null;
  /** Null: clients get the error. */
  readonly fallback: FallbackPolicy | null;
  /** Null: one attempt at a time. */
  readonly hedge: HedgePolicy | null;
  /** Null: nothing is stored. */
  readonly cache: CachePolicy | null;
  /** What its successful unsafe requests purge beside their own URL. */
  readonly purgeOnSuccess: readonly PurgeRule[];
  /** Null: anybody. */
  readonly auth: AuthPolicy | null;
  readonly maxBodyBytes: number;
  /** Null: no cap. */
  readonly concurrency: ConcurrencyPolicy | null;
  /** Null: versions get whatever comes. */
  readonly adaptive: AdaptivePolicy | null;
  /** Null: nobody is asked a second time. */
  readonly mirror: MirrorPolicy | null;
  /** `mirror: false`: not for a rollout either. */
  readonly unmirrored?: true;
  /** Null: keys are passed on and mean nothing here. */
  readonly idempotency: IdempotencyPolicy | null;
  /** Null: clients from everywhere. */
  readonly ip: IpPolicy | null;
  /** Null: whatever kind of client. */
  readonly bots: BotRules | null;
  /** JSON requests become gRPC calls. Null: they do not. */
  readonly transcode: TranscodePolicy | null;
  /** Protocols that clients may change to. Null: every Upgrade is refused. */
  readonly upgrade: UpgradePolicy | null;
  /** Null: it is neither deprecated nor about to be. */
  readonly lifecycle: LifecyclePolicy | null;
  /** What is changed on the way in and out. Null: nothing. */
  readonly transform: TransformPolicy | null;
}

export interface CachePolicy extends FreshnessLimits {
  /** `forward`: what is excluded goes to the upstream all the same. */
  readonly query: QueryKeying & { readonly forward: boolean };
  /** Request fields, lower case, whose values are part of the key. */
  readonly headers: readonly string[];
  /** Larger bodies are passed on and not stored. */
  readonly maxBytes: number;
  readonly setCookie: SetCookieRule;
  /** Response field with tags to purge by, lower case; null: none. */
  readonly tags: string | null;
  /** Whether Cache-Control of the request counts. */
  readonly clientDirectives: boolean;
}
