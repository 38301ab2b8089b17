/**
 * The admin listener: liveness, readiness and metrics, apart from the traffic. Knows what to show, not how it
 * came about.
 * @module
 */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ListenAddress } from '../config/primitives.ts';
import { FULL_BP } from '../core/domain/weight.ts';
import type { AccessLog } from './access-log.ts';
import { registerAdaptive } from './adaptive-gauges.ts';
import type { HttpCache } from './cache/http-cache.ts';
import type { Listener } from './listeners/listener.ts';
import { registerListeners } from './listeners/listener-gauges.ts';
import { watchLoopDelay } from './loop-delay.ts';
import type { GatewayMetrics } from './metrics.ts';
import { registerMirrors } from './mirror/mirror-gauges.ts';
import { mirrorReports } from './mirror/mirror-table.ts';
import { sampledGauge } from './sampled-series.ts';
import type { Snapshot } from './snapshot.ts';
import type { AppliedSplit } from './split-table.ts';
import type { DiscoveryState } from './upstream/discovery.ts';
import { registerDiscovery, registerUpstreams } from './upstream-gauges.ts';

export interface AdminFacts {
  readonly metrics: GatewayMetrics;
  readonly splits: () => readonly AppliedSplit[];
  /** Empty: ready; else why not. */
  readonly notReady: () => string;
  readonly accessLog: AccessLog;
  readonly droppedSummaries: () => number;
  readonly inFlight: () => number;
  readonly channelConnected: () => boolean;
  /** In force now; null before there is one. */
  readonly snapshot: () => Snapshot | null;
  readonly discovery: () => readonly DiscoveryState[];
  readonly staleCertificates: () => number;
  readonly listeners: () => readonly Listener[];
  readonly cache: () => HttpCache | null;
}

export interface AdminListener {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

export async function openAdmin(address: ListenAddress, facts: AdminFacts): Promise<AdminListener> {
  const registry = createRegistry(facts);
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, (request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'method not allowed\n');
    else if (path === '/healthz') answer(response, 200, 'ok\n');
    else if (path === '/readyz') {
      const reason = facts.notReady();
      answer(response, reason === '' ? 200 : 503, reason === '' ? 'ready\n' : `${reason}\n`);
    } else if (path === '/metrics') {
      registry.metrics().then(
        (text) => answer(response, 200, facts.metrics.render() + text, registry.contentType),
        () => answer(response, 500, 'metrics cannot be collected\n'),
      );
    } else if (path === '/mirror.json') {
      const reports = mirrorReports(facts.snapshot()?.mirrors ?? new Map());
      answer(response, 200, `${JSON.stringify(reports)}\n`, 'application/json');
    } else answer(response, 404, 'not found; try /metrics, /healthz, /readyz or /mirror.json\n');
  });
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {});
  const endLoopDelay = watchLoopDelay(registry, () => performance.now());
  const bound = server.address() as AddressInfo; // Listening on TCP, so neither null nor a path.
  return {
    address: { host: bound.address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        endLoopDelay();
        registry.clear();
      }),
  };
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function createRegistry(facts: AdminFacts): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  registerSplits(registry, facts.splits);
  registerUpstreams(registry, facts.snapshot);
  registerMirrors(registry, facts.snapshot);
  registerAdaptive(registry, facts.snapshot);
  registerDiscovery(registry, facts.discovery);
  registerListeners(registry, facts.listeners);
  gauge(
    'sluice_upstream_tls_stale',
    'Sets of certificate files for upstreams that have changed and cannot be used.',
    registers,
    facts.staleCertificates,
  );
  gauge('sluice_channel_connected', '1 while the weight channel answers.', registers, () =>
    facts.channelConnected() ? 1 : 0,
  );
  gauge(
    'sluice_cache_bytes',
    'Bytes that stored responses take.',
    registers,
    () => facts.cache()?.store.bytes ?? 0,
  );
  gauge('sluice_cache_responses', 'Stored responses.', registers, () => facts.cache()?.store.size ?? 0);
  counter(
    'sluice_cache_evictions_total',
    'Responses that the budget pushed out.',
    registers,
    () => facts.cache()?.store.evictions ?? 0,
  );
  counter(
    'sluice_cache_purged_total',
    'Responses that purges removed.',
    registers,
    () => facts.cache()?.purged ?? 0,
  );
  for (const result of ['hits', 'misses', 'failures'] as const) {
    counter(
      `sluice_cache_tier_${result}_total`,
      `Questions to the cache that gateways share: ${result}.`,
      registers,
      () => facts.cache()?.tierCounts[result] ?? 0,
    );
  }
  gauge('sluice_requests_in_flight', 'Requests that have not ended.', registers, facts.inFlight);
  const { accessLog } = facts;
  counter('sluice_access_log_dropped_total', 'Access-log lines dropped.', registers, () => accessLog.dropped);
  counter('sluice_access_log_written_total', 'Access-log lines written.', registers, () => accessLog.written);
  counter(
    'sluice_access_log_sampled_out_total',
    'Requests without a line in the access log because of its sampling.',
    registers,
    () => accessLog.sampledOut,
  );
  counter(
    'sluice_telemetry_dropped_total',
    'Telemetry summaries dropped.',
    registers,
    facts.droppedSummaries,
  );
  return registry;
}

function registerSplits(registry: Registry, splits: AdminFacts['splits']): void {
  const labelNames = ['service'];
  sampledGauge(
    registry,
    { name: 'sluice_split_revision', help: 'Revision of the split in force.', labelNames },
    () => splits().map(({ service, split }) => ({ labels: { service }, value: split.revision })),
  );
  sampledGauge(
    registry,
    {
      name: 'sluice_split_lease_expired',
      help: '1 while the canary is not served because nobody confirmed or renewed its weight.',
      labelNames,
    },
    () => splits().map(({ service, state }) => ({ labels: { service }, value: state === 'applied' ? 0 : 1 })),
  );
  sampledGauge(
    registry,
    {
      name: 'sluice_weight_ratio',
      help: 'Share of traffic by version as served now, 0 to 1.',
      labelNames: ['service', 'version'],
    },
    () =>
      splits().flatMap(({ service, served }) =>
        Object.entries(served).map(([version, weightBp]) => ({
          labels: { service, version },
          value: weightBp / FULL_BP,
        })),
      ),
  );
}

function gauge(name: string, help: string, registers: Registry[], read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

/** `read` returns the total so far. */
function counter(name: string, help: string, registers: Registry[], read: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
