/**
 * The telemetry stream: per-second summaries from gateways to the operator. Capped, at least once, resumable.
 * Adapters: embedded, Redis. Conformance suite: `test/conformance/telemetry-stream.ts`.
 * @module
 */

import type { TelemetrySummary } from '../core/domain/telemetry.ts';

export interface TelemetryBatch {
  readonly summaries: readonly TelemetrySummary[];
  /** Pass to the next read. Opaque. */
  readonly cursor: string;
  /** Summaries between the given cursor and the oldest retained one are gone. */
  readonly lost: boolean;
}

export interface TelemetryStream {
  /** Appends one summary; the oldest fall off beyond the cap (at least 15 minutes of eight gateways). */
  emit(summary: TelemetrySummary): Promise<void>;
  /** Up to `limit` summaries after `cursor` (null: from the oldest retained), oldest first. Never waits. */
  read(service: string, cursor: string | null, limit: number): Promise<TelemetryBatch>;
}
