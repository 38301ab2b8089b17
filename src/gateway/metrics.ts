/**
 * The gateway's series for Prometheus: plain counters that requests write to, rendered as text per scrape.
 * Names and labels come from `core/domain/metric-names.ts`; prom-client would hash every label per request.
 * @module
 */

import { CLIENT_DURATION, DURATION_BUCKETS_S, LABEL, SERVER_DURATION } from '../core/domain/metric-names.ts';
import { BodyMetrics } from './body-metrics.ts';
import { BotMetrics } from './bots.ts';
import { CACHE_OUTCOMES, type CacheCounts } from './cache/cache-run.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from './gateway-errors.ts';
import { IdempotencyMetrics } from './idempotency-metrics.ts';
import { AuthMetrics } from './identity/auth-metrics.ts';
import { KNOWN_METHODS } from './known-methods.ts';
import { LifecycleMetrics } from './lifecycle-metrics.ts';
import { LimitMetrics } from './limit-metrics.ts';
import { escapeLabel, type LabelledRoute, routeLabels } from './metric-labels.ts';
import { ResilienceMetrics } from './resilience-metrics.ts';
import { SlowReaderMetrics } from './slow-reader-metrics.ts';
import { TraceMetrics } from './tracing/trace-metrics.ts';
import { TrailerMetrics } from './trailer-metrics.ts';
import { TunnelMetrics } from './upgrade/tunnel-metrics.ts';

/** Error label of an attempt, by index. */
export const ATTEMPT_ERRORS = ['', 'connect', 'reset', 'timeout', 'client_abort'] as const;
const METHODS = [...KNOWN_METHODS, '_OTHER'] as const;
const METHOD_INDEX: ReadonlyMap<string, number> = new Map(METHODS.map((method, index) => [method, index]));
const OTHER_METHOD = METHODS.length - 1;
/** Error label of a response, by index. */
const RESPONSE_ERRORS = ['', ...Object.keys(GATEWAY_ERRORS)] as const;
const ERROR_INDEX: ReadonlyMap<string, number> = new Map(RESPONSE_ERRORS.map((code, index) => [code, index]));
const BOUNDS_MS = Float64Array.from(DURATION_BUCKETS_S, (seconds) => seconds * 1000);

/** One histogram with fixed labels. */
class DurationSeries {
  readonly labels: string;
  readonly buckets = new Float64Array(BOUNDS_MS.length);
  count = 0;
  sumMs = 0;

  constructor(labels: string) {
    this.labels = labels;
  }

  observe(durationMs: number): void {
    this.count += 1;
    this.sumMs += durationMs;
    for (let i = 0; i < BOUNDS_MS.length; i += 1) {
      if (durationMs <= (BOUNDS_MS[i] ?? 0)) {
        this.buckets[i] = (this.buckets[i] ?? 0) + 1;
        return;
      }
    }
  }
}

/** Attempts at one version, told apart by status and error. */
export class ClientSeries {
  readonly #labels: string;
  readonly byKind = new Map<number, DurationSeries>();

  constructor(service: string, version: string) {
    this.#labels = `${LABEL.service}="${escapeLabel(service)}",${LABEL.version}="${escapeLabel(version)}"`;
  }

  /** `status` 0: none. `error`: index into {@link ATTEMPT_ERRORS}. */
  observe(status: number, error: number, durationMs: number): void {
    const key = status * 8 + error;
    let series = this.byKind.get(key);
    if (series === undefined) {
      const statusText = status === 0 ? '' : String(status);
      series = new DurationSeries(
        `${this.#labels},${LABEL.status}="${statusText}",${LABEL.error}="${ATTEMPT_ERRORS[error] ?? ''}"`,
      );
      this.byKind.set(key, series);
    }
    series.observe(durationMs);
  }
}

/** Responses of one route, told apart by version, method, status and error. */
export class ServerSeries {
  readonly #byVersion: Map<string, Map<number, DurationSeries>>;
  readonly #labels: string;

  /** `route` null: of requests that no route matched. */
  constructor(metrics: GatewayMetrics, route: LabelledRoute | null) {
    this.#labels = routeLabels(route);
    this.#byVersion = metrics.serverSeries(this.#labels);
  }

  /** `version` is empty when none was assigned, `error` where the gateway has nothing to say against the response. */
  observe(
    version: string,
    method: string,
    status: number,
    error: GatewayErrorCode | '',
    durationMs: number,
  ): void {
    let byKind = this.#byVersion.get(version);
    if (byKind === undefined) {
      byKind = new Map();
      this.#byVersion.set(version, byKind);
    }
    const methodIndex = METHOD_INDEX.get(method) ?? OTHER_METHOD;
    const errorIndex = error === '' ? 0 : (ERROR_INDEX.get(error) ?? 0);
    const key = (errorIndex * 1_000 + status) * METHODS.length + methodIndex;
    let series = byKind.get(key);
    if (series === undefined) {
      series = new DurationSeries(
        `${this.#labels},${LABEL.version}="${escapeLabel(version)}",${LABEL.method}="${METHODS[methodIndex] ?? ''}",` +
          `${LABEL.error}="${error}",${LABEL.status}="${status}"`,
      );
      byKind.set(key, series);
    }
    series.observe(durationMs);
  }
}

/** All series of a gateway. They outlive reloads, so that counters never fall. */
export class GatewayMetrics {
  readonly resilience = new ResilienceMetrics();
  readonly limits = new LimitMetrics();
  readonly idempotency = new IdempotencyMetrics();
  readonly bots = new BotMetrics();
  readonly auth = new AuthMetrics();
  readonly tunnels = new TunnelMetrics();
  readonly slowReaders = new SlowReaderMetrics();
  readonly lifecycle = new LifecycleMetrics();
  readonly bodies = new BodyMetrics();
  readonly trailers = new TrailerMetrics();
  readonly traces = new TraceMetrics();
  readonly #server = new Map<string, Map<string, Map<number, DurationSeries>>>();
  readonly #client = new Map<string, ClientSeries>();
  readonly #cache = new Map<string, CacheCounts>();

  cacheCounts(route: LabelledRoute): CacheCounts {
    const labels = routeLabels(route);
    const counts = this.#cache.get(labels) ?? newCacheCounts();
    this.#cache.set(labels, counts);
    return counts;
  }

  /** Those of the same route before a reload, where it was there. */
  serverSeries(labels: string): Map<string, Map<number, DurationSeries>> {
    const series = this.#server.get(labels) ?? new Map<string, Map<number, DurationSeries>>();
    this.#server.set(labels, series);
    return series;
  }

  clientSeries(service: string, version: string): ClientSeries {
    const key = JSON.stringify([service, version]);
    const series = this.#client.get(key) ?? new ClientSeries(service, version);
    this.#client.set(key, series);
    return series;
  }

  /** Prometheus text format 0.0.4. */
  render(): string {
    const server = [...this.#server.values()].flatMap((versions) =>
      [...versions.values()].flatMap((kinds) => [...kinds.values()]),
    );
    const client = [...this.#client.values()].flatMap(({ byKind }) => [...byKind.values()]);
    return (
      renderHistogram(
        SERVER_DURATION,
        'Time from request to the end of the response, per response.',
        server,
      ) +
      renderHistogram(
        CLIENT_DURATION,
        'Time from the start of an attempt to its last byte, per attempt.',
        client,
      ) +
      this.resilience.render() +
      this.limits.render() +
      renderCache(this.#cache) +
      this.idempotency.render() +
      this.bots.render() +
      this.auth.render() +
      this.tunnels.render() +
      this.slowReaders.render() +
      this.lifecycle.render() +
      this.bodies.render() +
      this.trailers.render() +
      this.traces.render()
    );
  }
}

function renderHistogram(name: string, help: string, series: readonly DurationSeries[]): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const { labels, buckets, count, sumMs } of series) {
    let cumulative = 0;
    for (let i = 0; i < buckets.length; i += 1) {
      cumulative += buckets[i] ?? 0;
      lines.push(`${name}_bucket{${labels},le="${DURATION_BUCKETS_S[i]}"} ${cumulative}`);
    }
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
    lines.push(`${name}_sum{${labels}} ${sumMs / 1000}`);
    lines.push(`${name}_count{${labels}} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}

function newCacheCounts(): CacheCounts {
  return {
    hit: 0,
    stale: 0,
    revalidated: 0,
    miss: 0,
    collapsed: 0,
    bypass: 0,
    'stale-on-error': 0,
  };
}

function renderCache(routes: ReadonlyMap<string, CacheCounts>): string {
  if (routes.size === 0) return '';
  const name = 'sluice_cache_requests_total';
  const lines = [
    `# HELP ${name} Requests to routes that cache, by what the cache did.`,
    `# TYPE ${name} counter`,
  ];
  for (const [labels, counts] of routes) {
    for (const outcome of CACHE_OUTCOMES)
      lines.push(`${name}{${labels},result="${outcome}"} ${counts[outcome]}`);
  }
  return `${lines.join('\n')}\n`;
}
