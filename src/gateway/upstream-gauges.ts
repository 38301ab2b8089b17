/**
 * What `/metrics` says of upstreams beside attempts: read from the snapshot in force at each scrape, so that
 * requests pay nothing for it. Knows the names of these series only.
 * @module
 */

import type { Registry } from 'prom-client';
import type { Breaker, BreakerState } from '../core/policy/breaker.ts';
import { type Sample, sampledCounter, sampledGauge } from './sampled-series.ts';
import type { CompiledService, ServiceVersion, Snapshot } from './snapshot.ts';
import { OUTCOME_WORDS } from './upstream/attempt-counts.ts';
import type { DiscoveryState } from './upstream/discovery.ts';
import type { Target } from './upstream/target.ts';

const STATE_VALUE: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 };

/** Series of circuit breakers (by service, route, version and endpoint) and of endpoints (by service, version, endpoint). */
export function registerUpstreams(registry: Registry, snapshot: () => Snapshot | null): void {
  const breakers = (read: (breaker: Breaker) => number) => (): Sample[] =>
    [...(snapshot()?.breakers.values() ?? [])].map(({ breaker, ...labels }) => ({
      labels,
      value: read(breaker),
    }));
  const targets = (read: (target: Target) => number) => (): Sample[] => endpointSamples(snapshot(), read);
  const versions = (read: (version: ServiceVersion) => number) => (): Sample[] =>
    versionSamples(snapshot(), read);
  const gauge = (name: string, help: string, read: () => Sample[]): void =>
    sampledGauge(registry, { name, help, labelNames: labelsOf(name) }, read);
  const counter = (name: string, help: string, read: () => Sample[]): void =>
    sampledCounter(registry, { name, help, labelNames: labelsOf(name) }, read);
  gauge(
    'sluice_breaker_state',
    'State of a circuit breaker: 0 closed, 1 half-open, 2 open.',
    breakers(({ state }) => STATE_VALUE[state]),
  );
  counter(
    'sluice_breaker_trips_total',
    'Times that a circuit breaker opened.',
    breakers(({ trips }) => trips),
  );
  counter(
    'sluice_breaker_refused_total',
    'Attempts that a circuit breaker refused.',
    breakers(({ refusals }) => refusals),
  );
  counter('sluice_endpoint_attempts_total', 'Attempts at an endpoint that have ended, by outcome.', () =>
    OUTCOME_WORDS.flatMap((outcome, index) =>
      endpointSamples(snapshot(), ({ state }) => state.attempts.of(index), undefined, { outcome }),
    ),
  );
  gauge(
    'sluice_endpoint_attempts_in_flight',
    'Attempts under way at an endpoint.',
    targets(({ state }) => state.inFlight),
  );
  gauge(
    'sluice_endpoint_connections',
    'Open connections to an endpoint, those of other versions at the same address included.',
    targets(({ endpoint }) => endpoint.pool.stats.connected),
  );
  gauge(
    'sluice_endpoint_connections_free',
    'Open connections to an endpoint that can take an attempt at once.',
    targets(({ endpoint }) => endpoint.pool.stats.free),
  );
  gauge(
    'sluice_endpoint_attempts_queued',
    'Attempts that wait for a connection to an endpoint.',
    targets(({ endpoint }) => endpoint.pool.stats.pending),
  );
  gauge(
    'sluice_endpoint_ejected',
    '1 while an endpoint is out of rotation for failing attempts.',
    targets(({ state }) => (state.ejectedUntilMs > (snapshot()?.monotonicMs() ?? 0) ? 1 : 0)),
  );
  counter(
    'sluice_endpoint_ejections_total',
    'Times that an endpoint was ejected.',
    targets(({ state }) => state.ejections),
  );
  gauge(
    'sluice_endpoint_healthy',
    '1 while the health checks of an endpoint succeed, 0 while they fail or have not said yet.',
    () => endpointSamples(snapshot(), ({ state }) => (state.healthy && !state.joining ? 1 : 0), isChecked),
  );
  counter('sluice_endpoint_probes_total', 'Health checks of an endpoint, by result.', () => [
    ...endpointSamples(snapshot(), ({ state }) => state.probesOk, isChecked, { result: 'ok' }),
    ...endpointSamples(snapshot(), ({ state }) => state.probesFailed, isChecked, { result: 'failed' }),
  ]);
  gauge(
    'sluice_version_panic',
    '1 while fewer than half of the endpoints of a version are well, so that all are used.',
    versions(({ balancer }) => (balancer.panicking ? 1 : 0)),
  );
  gauge(
    'sluice_version_local_share',
    'Share of the attempts at a version that stay in the zone of the gateway, 0 to 1.',
    versions(({ balancer }) => balancer.localShare),
  );
  sampledCounter(
    registry,
    {
      name: 'sluice_segment_attempts_left_out_total',
      help: 'Attempts with a value that is not told apart, as its dimension has too many.',
      labelNames: ['service', 'version', 'dimension'],
    },
    () => leftOutSamples(snapshot()),
  );
}

/** Series of the places where endpoints are looked up. */
export function registerDiscovery(registry: Registry, states: () => readonly DiscoveryState[]): void {
  const read = (value: (state: DiscoveryState) => number) => (): Sample[] =>
    states().map((state) => ({ labels: { source: state.source }, value: value(state) }));
  const labelNames = ['source'];
  sampledGauge(
    registry,
    {
      name: 'sluice_discovery_endpoints',
      help: 'Endpoints that a source names, as far as is known.',
      labelNames,
    },
    read(({ endpoints }) => endpoints),
  );
  sampledGauge(
    registry,
    {
      name: 'sluice_discovery_stale',
      help: '1 while a source cannot be asked, so that what it said before is used.',
      labelNames,
    },
    read(({ stale }) => (stale ? 1 : 0)),
  );
  sampledCounter(
    registry,
    {
      name: 'sluice_discovery_failures_total',
      help: 'Look-ups of a source that failed or found nothing.',
      labelNames,
    },
    read(({ failures }) => failures),
  );
}

function labelsOf(name: string): string[] {
  if (name.startsWith('sluice_breaker')) return ['service', 'route', 'version', 'endpoint'];
  if (name.startsWith('sluice_version')) return ['service', 'version'];
  const endpoint = ['service', 'version', 'endpoint'];
  if (name === 'sluice_endpoint_probes_total') return [...endpoint, 'result'];
  return name === 'sluice_endpoint_attempts_total' ? [...endpoint, 'outcome'] : endpoint;
}

function isChecked({ health }: CompiledService): boolean {
  return health;
}

function versionSamples(snapshot: Snapshot | null, read: (version: ServiceVersion) => number): Sample[] {
  return [...(snapshot?.services.values() ?? [])].flatMap((service) =>
    [...service.versions.values()].map((version) => ({
      labels: { service: service.name, version: version.name },
      value: read(version),
    })),
  );
}

function leftOutSamples(snapshot: Snapshot | null): Sample[] {
  return [...(snapshot?.services.values() ?? [])].flatMap((service) =>
    [...service.versions.values()].flatMap(({ name, counter }) =>
      [...counter.segments.leftOut].map(([dimension, value]) => ({
        labels: { service: service.name, version: name, dimension },
        value,
      })),
    ),
  );
}

function endpointSamples(
  snapshot: Snapshot | null,
  read: (target: Target) => number,
  concerns: (service: CompiledService) => boolean = () => true,
  more: Readonly<Record<string, string>> = {},
): Sample[] {
  const samples: Sample[] = [];
  for (const service of snapshot?.services.values() ?? []) {
    if (!concerns(service)) continue;
    for (const version of service.versions.values()) {
      for (const target of version.balancer.targets) {
        const place = { service: service.name, version: version.name, endpoint: target.endpoint.origin };
        samples.push({ labels: { ...place, ...more }, value: read(target) });
      }
    }
  }
  return samples;
}
