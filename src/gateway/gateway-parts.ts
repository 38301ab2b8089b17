/**
 * Builds what outlives a configuration: split table, recorder, and the runtime that all requests share.
 * Knows how the parts of one gateway fit together, not when they start or stop.
 * @module
 */

import type { GatewayConfig } from '../config/gateway-model.ts';
import type { CacheTier } from '../ports/cache-tier.ts';
import type { Clock } from '../ports/clock.ts';
import type { PurgeChannel } from '../ports/purge-channel.ts';
import type { SharedState } from '../ports/shared-state.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';
import type { WeightChannel } from '../ports/weight-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import { HttpCache } from './cache/http-cache.ts';
import { PurgeAnnouncer } from './cache/purge-announcer.ts';
import { SharedTier } from './cache/shared-tier.ts';
import { ConcurrencyTable } from './concurrency.ts';
import type { Runtime } from './exchange.ts';
import { LimitKeeper } from './limit-keeper.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Recorder } from './recorder.ts';
import type { Snapshot, SnapshotParts } from './snapshot.ts';
import { openSplitFiles } from './split-files.ts';
import { SplitTable } from './split-table.ts';
import { BodyTurns } from './transform/body-turns.ts';
import { TunnelSet } from './upgrade/tunnel-set.ts';
import type { UpstreamParts } from './upstream/target-set.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly channel: WeightChannel;
  readonly telemetry: TelemetryStream;
  readonly shared: SharedState;
  readonly purges: PurgeChannel;
  readonly tier: CacheTier;
  readonly clock: Clock;
  /** What deadlines and waits of requests are measured by. Default: the clock of the process. */
  readonly monotonicMs?: () => number;
  /** Folder for the last good splits; null: none are kept. */
  readonly stateDir: string | null;
  /** Ends what a start waits for. */
  readonly stopping?: AbortSignal;
  readonly logger: Logger;
  /** Where secrets of the configuration may be. Default: nowhere. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Random per process start. */
  readonly incarnation: string;
}

export const monotonicMs = (): number => performance.now();

/** Builds the split table and the recorder of the gateway called `name`; neither is started. */
export function openParts(
  options: GatewayOptions,
  name: string,
  metrics: GatewayMetrics,
  upstreams: UpstreamParts,
): Omit<SnapshotParts, 'verifiers'> {
  const { channel, telemetry, clock, stateDir, logger, incarnation } = options;
  const onFileProblem = (service: string, error: unknown): void =>
    logger.warn({ err: error, service }, 'the last good split on disk cannot be used');
  const splits = new SplitTable({
    channel,
    files: stateDir === null ? null : openSplitFiles(stateDir, onFileProblem),
    monotonicMs,
    logger,
    gateway: name,
    incarnation,
  });
  const recorder = new Recorder({
    gateway: name,
    incarnation,
    stream: telemetry,
    clock,
    monotonicMs,
    logger,
    revisionOf: (service) => splits.slot(service).revision,
  });
  return { clock, splits, recorder, metrics, concurrency: new ConcurrencyTable(metrics.limits), upstreams };
}

type FromGateway = Pick<
  Runtime,
  'wheel' | 'metrics' | 'accessLog' | 'tracer' | 'runStages' | 'beginBackground' | 'onRecorded'
>;

export function openRuntime(options: GatewayOptions, snapshot: Snapshot, own: FromGateway): Runtime {
  const { config, shared, tier, clock, logger } = options;
  const nowMs = options.monotonicMs ?? monotonicMs;
  const timed = { wheel: own.wheel, monotonicMs: nowMs, logger };
  return {
    snapshot,
    draining: false,
    ...own,
    limitKeeper: new LimitKeeper({ shared, wheel: own.wheel, clock, monotonicMs: nowMs, logger }),
    cache: new HttpCache(
      config,
      new SharedTier({ ...timed, tier }),
      new PurgeAnnouncer({ ...timed, channel: options.purges }),
    ),
    tunnels: new TunnelSet(),
    bodyTurns: new BodyTurns(),
    shared,
    clock,
    monotonicMs: nowMs,
    logger,
  };
}
