/**
 * What a service has been asked lately and how it did, from the retained telemetry: what a forecast starts from.
 * @module
 */

import { badOf, totalOf } from '../core/domain/telemetry.ts';
import type { MeasuredTraffic } from '../ports/control.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';

const OVER_MS = 300_000;
const READ_LIMIT = 2_000;
/** Less than this says nothing about a rate. */
const MIN_REQUESTS = 100;
const MIN_SECONDS = 10;

/** Null without enough traffic in the last five minutes. `baseline`: the version whose errors count. */
export async function measureTraffic(
  stream: TelemetryStream,
  service: string,
  baseline: string,
  nowMs: number,
): Promise<MeasuredTraffic | null> {
  let cursor: string | null = null;
  let requests = 0;
  let bad = 0;
  let total = 0;
  const seconds = new Set<number>();
  for (let more = true; more; ) {
    const batch = await stream.read(service, cursor, READ_LIMIT);
    cursor = batch.cursor;
    more = batch.summaries.length === READ_LIMIT;
    for (const { secondMs, versions } of batch.summaries) {
      if (nowMs - secondMs > OVER_MS) continue;
      seconds.add(Math.floor(secondMs / 1000));
      for (const [version, { attempts }] of Object.entries(versions)) {
        requests += totalOf(attempts.outcomes);
        if (version !== baseline) continue;
        bad += badOf(attempts.outcomes);
        total += totalOf(attempts.outcomes);
      }
    }
  }
  if (total < MIN_REQUESTS || seconds.size < MIN_SECONDS) return null;
  return { requestsPerSecond: requests / seconds.size, errorRate: bad / total, overMs: seconds.size * 1000 };
}
