/**
 * What one configuration is once it is compiled: a router over flat route objects whose every reference is resolved.
 * Immutable; a reload makes a new one. Owns the endpoints it uses until its last exchange has ended.
 * @module
 */

import type { GatewayConfig, Route } from '../config/gateway-model.ts';
import type { FallbackPolicy } from '../config/policies/fallback.ts';
import type { IdempotencyPolicy } from '../config/policies/idempotency.ts';
import type { MirrorPolicy } from '../config/policies/mirror.ts';
import type { Balancer } from '../core/policy/balancer.ts';
import type { LifecyclePolicy } from '../core/policy/lifecycle.ts';
import type { OutlierWatch } from '../core/policy/outlier.ts';
import type { RetryBudget } from '../core/policy/retry-budget.ts';
import type { Priority } from '../core/policy/waiting-room.ts';
import type { Clock } from '../ports/clock.ts';
import type { LimiterTable, VersionLimiter } from './adaptive.ts';
import type { CompiledBots } from './bots.ts';
import type { BreakerTable, VersionBreakers } from './breakers.ts';
import type { CompiledCache } from './cache/cache-run.ts';
import type { CachedPaths } from './cache/cached-paths.ts';
import type { PurgeMaker } from './cache/purge-rules.ts';
import type { CompiledConcurrency, ConcurrencyTable } from './concurrency.ts';
import type { TrustCheck } from './forwarded.ts';
import type { CompiledTranscoding } from './grpc/compile-transcoding.ts';
import type { SplitSlot } from './held-split.ts';
import type { KeyCounts } from './idempotency-metrics.ts';
import type { CompiledAuth } from './identity/compile-auth.ts';
import type { Verifiers } from './identity/identity-providers.ts';
import type { KeySample } from './key-sample.ts';
import type { LifecycleCounts } from './lifecycle-metrics.ts';
import type { ClientSeries, GatewayMetrics, ServerSeries } from './metrics.ts';
import type { MirrorState, MirrorTable } from './mirror/mirror-table.ts';
import type { Recorder } from './recorder.ts';
import type { RetryCounts } from './resilience-metrics.ts';
import type { CompiledLimits } from './route-limits.ts';
import type { Router } from './router.ts';
import type { SegmentRead } from './segment-reads.ts';
import type { SplitTable } from './split-table.ts';
import type { StickyRead, StickySubject } from './sticky.ts';
import type { CompiledTransform } from './transform/transform-model.ts';
import type { TunnelCounts } from './upgrade/tunnel-metrics.ts';
import type { Target } from './upstream/target.ts';
import type { TargetSet, UpstreamParts } from './upstream/target-set.ts';
import type { VersionCounter } from './version-counter.ts';

export interface ServiceVersion {
  readonly name: string;
  readonly balancer: Balancer<Target>;
  /** By which parts of its traffic attempts are counted apart. */
  readonly segments: readonly SegmentRead[];
  /** Null: nothing is ejected. */
  readonly outliers: OutlierWatch<Target> | null;
  readonly counter: VersionCounter;
  readonly series: ClientSeries;
}

export interface CompiledService {
  readonly name: string;
  readonly versions: ReadonlyMap<string, ServiceVersion>;
  readonly defaultVersion: ServiceVersion;
  /** Names of response trailers that are passed on, lower case. Null: none. */
  readonly trailers: ReadonlySet<string> | null;
  /** Names of request trailers that its upstreams get, lower case. Null: none. */
  readonly requestTrailers: ReadonlySet<string> | null;
  /** Its endpoints are checked. */
  readonly health: boolean;
  readonly split: SplitSlot;
  readonly sample: KeySample;
  readonly sticky: readonly StickyRead[];
  readonly retryBudget: RetryBudget;
  readonly retries: RetryCounts;
  /** Cookies that the gateway issues for stickiness. */
  readonly ownCookies: ReadonlySet<string>;
  /** Where its routes cache; empty: nowhere. */
  readonly cachedPaths: readonly CachedPaths[];
}

export interface CompiledFallback {
  readonly on: FallbackPolicy['on'];
  readonly to:
    | {
        readonly kind: 'response';
        readonly status: number;
        readonly fields: readonly string[];
        readonly body: Buffer;
      }
    | { readonly kind: 'service'; readonly service: CompiledService };
}

export interface CompiledAdaptive {
  readonly waitMs: number;
  readonly priorityOf: (subject: StickySubject) => Priority;
  readonly limiters: ReadonlyMap<ServiceVersion, VersionLimiter>;
}

export interface CompiledMirror {
  readonly policy: MirrorPolicy;
  /** The candidate. */
  readonly version: ServiceVersion;
  readonly methods: ReadonlySet<string>;
  readonly state: MirrorState;
}

/** What a rollout mirrors of a route. */
export interface MirrorChooser {
  /** Null: not this request. */
  choose(request: {
    readonly version: ServiceVersion | null;
    readonly stickyKey: string;
  }): CompiledMirror | null;
}

export interface CompiledRoute
  extends Omit<
    Route,
    | 'service'
    | 'auth'
    | 'breaker'
    | 'fallback'
    | 'cache'
    | 'purgeOnSuccess'
    | 'rateLimits'
    | 'quotas'
    | 'concurrency'
    | 'adaptive'
    | 'mirror'
    | 'idempotency'
    | 'lifecycle'
    | 'bots'
    | 'transform'
  > {
  /** What logs and metrics call the path: the template or prefix, never the path itself. */
  readonly pattern: string;
  readonly service: CompiledService;
  /** Null: anybody. */
  readonly auth: CompiledAuth | null;
  /** Null: whatever kind of client. */
  readonly bots: CompiledBots | null;
  /** By version; null: the route has no breaker. */
  readonly breakers: ReadonlyMap<ServiceVersion, VersionBreakers> | null;
  /** Null: clients get the error. */
  readonly fallback: CompiledFallback | null;
  /** Null: none. */
  readonly limits: CompiledLimits | null;
  readonly concurrency: CompiledConcurrency | null;
  /** Null: versions get whatever comes. */
  readonly adaptive: CompiledAdaptive | null;
  /** Null: nobody is asked a second time. */
  readonly mirror: CompiledMirror | null;
  /** Null: rollouts may not mirror it. */
  readonly rolloutMirror: MirrorChooser | null;
  /** Null: it caches nothing. */
  readonly cache: CompiledCache | null;
  readonly purges: readonly PurgeMaker[];
  readonly idempotency: { readonly policy: IdempotencyPolicy; readonly counts: KeyCounts } | null;
  /** Null: it is here to stay. */
  readonly lifecycle: { readonly policy: LifecyclePolicy; readonly counts: LifecycleCounts } | null;
  /** Null: requests and responses pass as they are. */
  readonly transform: CompiledTransform | null;
  /** Null: every Upgrade is refused. */
  readonly tunnels: TunnelCounts | null;
  /** Null: requests are what they are. */
  readonly transcoding: CompiledTranscoding | null;
  readonly series: ServerSeries;
}

export interface Snapshot {
  readonly config: GatewayConfig;
  readonly find: Router<CompiledRoute>;
  readonly isTrusted: TrustCheck;
  /** Names that only claims may fill; null: none. */
  readonly identityFields: ReadonlySet<string> | null;
  /** Series for requests without a route. */
  readonly unrouted: ServerSeries;
  inFlight: number;
  /** A newer snapshot took over: the endpoints are let go when `inFlight` reaches 0. */
  superseded: boolean;
  readonly targetSets: readonly TargetSet[];
  readonly breakers: BreakerTable;
  readonly limiters: LimiterTable;
  readonly mirrors: MirrorTable;
  readonly monotonicMs: () => number;
  readonly services: ReadonlyMap<string, CompiledService>;
}

export interface SnapshotParts {
  readonly clock: Clock;
  readonly splits: SplitTable;
  readonly recorder: Recorder;
  readonly metrics: GatewayMetrics;
  readonly concurrency: ConcurrencyTable;
  readonly upstreams: UpstreamParts;
  readonly verifiers: Verifiers;
}

/** The configuration is in force: what watches its endpoints starts. */
export function activate(snapshot: Snapshot): void {
  for (const targets of snapshot.targetSets) targets.activate();
}

/** A newer one is in force; the endpoints are let go when the last exchange has ended. */
export function supersede(snapshot: Snapshot): void {
  snapshot.superseded = true;
  for (const targets of snapshot.targetSets) targets.deactivate();
  releaseIdle(snapshot);
}

/** Counts an exchange out. */
export function releaseExchange(snapshot: Snapshot): void {
  snapshot.inFlight -= 1;
  releaseIdle(snapshot);
}

function releaseIdle(snapshot: Snapshot): void {
  if (!snapshot.superseded || snapshot.inFlight > 0) return;
  for (const targets of snapshot.targetSets) targets.close();
}
