/** Telemetry summaries for tests of the analysis. */

import { Histogram } from '../../../src/core/analysis/histogram.ts';
import {
  NO_OUTCOMES,
  type TelemetrySummary,
  type Traffic,
  type VersionSummary,
} from '../../../src/core/domain/telemetry.ts';

export interface ArmSecond {
  readonly ok?: number;
  readonly bad?: number;
  /** Requests whose client gave up first; their latency is recorded, their outcome unknown. */
  readonly abandoned?: number;
  /** Latency of every request in it, milliseconds. */
  readonly latencyMs?: number;
  /** Requests that a breaker refused. */
  readonly refused?: number;
  /** Mirrored answers that were compared, and those that differ. */
  readonly mirrored?: readonly [compared: number, differing: number];
}

export function traffic({ ok = 0, bad = 0, abandoned = 0, latencyMs = 10 }: ArmSecond): Traffic {
  const histogram = new Histogram();
  for (let i = 0; i < ok + bad + abandoned; i += 1) histogram.record(latencyMs * 1000);
  return {
    outcomes: { ...NO_OUTCOMES, status2xx: ok, status5xx: bad, clientAborted: abandoned },
    latencyUs: histogram.toWire(),
  };
}

function version(arm: ArmSecond): VersionSummary {
  const { refused, mirrored } = arm;
  return {
    attempts: traffic(arm),
    responses: traffic(arm),
    forced: 0,
    ...(refused !== undefined && { refused }),
    ...(mirrored && { mirrored: { compared: mirrored[0], differing: mirrored[1] } }),
  };
}

/** One second of one gateway; `second` is also the sequence unless given. */
export function summary(
  second: number,
  arms: Readonly<Record<string, ArmSecond>>,
  changes: Partial<TelemetrySummary> = {},
): TelemetrySummary {
  return {
    gateway: 'gw-1',
    incarnation: 'a',
    service: 'orders',
    sequence: second,
    secondMs: second * 1000,
    revision: 1,
    versions: Object.fromEntries(Object.entries(arms).map(([name, arm]) => [name, version(arm)])),
    ...changes,
  };
}
