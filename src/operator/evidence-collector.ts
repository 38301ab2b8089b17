/**
 * Reads the telemetry stream of one service into an evidence window, and keeps count of what was new since
 * the last look and of which gateways report. After a restart the retained stream refills the window without
 * being counted again.
 * @module
 */

import { type EvidenceWindow, emptyWindow, foldSummary } from '../core/analysis/evidence-window.ts';
import type { Plan } from '../core/domain/plan.ts';
import { type TelemetrySummary, totalOf } from '../core/domain/telemetry.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';

const READ_LIMIT = 2_000;
/** Served share and sparklines look back this far, whatever the rules need. */
const MIN_SPAN_MS = 60_000;
/** A second further from its arrival than this comes from another clock, or late: it counts when it arrives. */
const MAX_SKEW_MS = 5_000;
/** Gateways remembered; names come and go with deployments. */
const MAX_GATEWAYS = 1_000;

export interface Collected {
  readonly window: EvidenceWindow;
  /** Canary requests folded since the last collection; none of a refill. */
  readonly canaryRequests: number;
  readonly lostNow: number;
  /** Since a new summary last arrived, milliseconds; null when none ever did. */
  readonly silentMs: number | null;
  /** By gateway: when its newest summary arrived, epoch milliseconds by the operator's clock. */
  readonly heardAtMs: ReadonlyMap<string, number>;
}

export interface EvidenceCollector {
  collect(nowMs: number): Promise<Collected>;
}

/** `sinceMs`: start of the run; what was emitted before belongs to an earlier one and is left out of a refill. */
export function createEvidenceCollector(
  plan: Plan,
  sinceMs: number,
  stream: TelemetryStream,
): EvidenceCollector {
  const spanMs = Math.max(MIN_SPAN_MS, ...plan.abort.map((rule) => rule.overMs));
  let window = emptyWindow(spanMs);
  let cursor: string | null = null;
  let refilled = false;
  const heardAtMs = new Map<string, number>();

  const hear = (gateway: string, atMs: number): void => {
    const newest = Math.max(atMs, heardAtMs.get(gateway) ?? 0);
    heardAtMs.delete(gateway);
    heardAtMs.set(gateway, newest);
    if (heardAtMs.size > MAX_GATEWAYS) heardAtMs.delete(heardAtMs.keys().next().value as string);
  };

  /** Folds one summary; returns the canary requests in it that were new. */
  const fold = (sent: TelemetrySummary, nowMs: number): number => {
    if (!refilled && sent.secondMs < sinceMs - 1000) return 0;
    const emittedAtMs = sent.secondMs + 1000;
    const skewed = refilled ? Math.abs(nowMs - emittedAtMs) > MAX_SKEW_MS : emittedAtMs > nowMs + MAX_SKEW_MS;
    const before = window;
    window = foldSummary(before, skewed ? { ...sent, secondMs: nowMs } : sent);
    if (window === before) return 0;
    hear(sent.gateway, refilled ? nowMs : Math.min(nowMs, emittedAtMs));
    const canary = sent.versions[plan.canary];
    return canary && window.buckets !== before.buckets ? totalOf(canary.attempts.outcomes) : 0;
  };

  return {
    async collect(nowMs) {
      const lostBefore = window.lostSummaries;
      const refilling = !refilled;
      let canaryRequests = 0;
      let dropped = false;
      for (let more = true; more; ) {
        const batch = await stream.read(plan.service, cursor, READ_LIMIT);
        cursor = batch.cursor;
        dropped ||= batch.lost && !refilling;
        for (const summary of batch.summaries) canaryRequests += fold(summary, nowMs);
        more = batch.summaries.length === READ_LIMIT;
      }
      refilled = true;
      const newestMs = heardAtMs.size === 0 ? null : Math.max(...heardAtMs.values());
      return {
        window,
        canaryRequests: refilling ? 0 : canaryRequests,
        lostNow: window.lostSummaries - lostBefore + (dropped ? 1 : 0),
        silentMs: newestMs === null ? null : nowMs - newestMs,
        heardAtMs,
      };
    },
  };
}
