/**
 * Reads the telemetry stream of one service into an evidence window, and keeps count of what was new since
 * the last look. After a restart the retained stream refills the window without being counted again.
 * @module
 */

import { type EvidenceWindow, emptyWindow, foldSummary } from '../core/analysis/evidence-window.ts';
import type { Plan } from '../core/domain/plan.ts';
import { type TelemetrySummary, totalOf } from '../core/domain/telemetry.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';

const READ_LIMIT = 2_000;
/** Served share and sparklines look back this far, whatever the rules need. */
const MIN_SPAN_MS = 60_000;
/** Clocks of gateways may be ahead of the operator's by this much. */
const MAX_AHEAD_MS = 5_000;

export interface Collected {
  readonly window: EvidenceWindow;
  /** Canary requests folded since the last collection; none of a refill. */
  readonly canaryRequests: number;
  readonly lostNow: number;
  /** Since a summary last arrived, milliseconds; null when none ever did. */
  readonly silentMs: number | null;
}

export interface EvidenceCollector {
  collect(nowMs: number): Promise<Collected>;
}

/** `sinceMs`: start of the run; older seconds belong to an earlier one and are left out. */
export function createEvidenceCollector(
  plan: Plan,
  sinceMs: number,
  stream: TelemetryStream,
): EvidenceCollector {
  const spanMs = Math.max(MIN_SPAN_MS, ...plan.abort.map((rule) => rule.overMs));
  let window = emptyWindow(spanMs);
  let cursor: string | null = null;
  let arrivedAtMs: number | null = null;

  const fold = (summaries: readonly TelemetrySummary[], nowMs: number): number => {
    let canaryRequests = 0;
    for (const sent of summaries) {
      if (sent.secondMs < sinceMs - 1000) continue;
      // A gateway whose clock is ahead must not push everybody else out of the window.
      const summary = sent.secondMs > nowMs + MAX_AHEAD_MS ? { ...sent, secondMs: nowMs } : sent;
      const before = window;
      window = foldSummary(before, summary);
      const canary = summary.versions[plan.canary];
      if (window !== before && canary) canaryRequests += totalOf(canary.attempts.outcomes);
    }
    return canaryRequests;
  };

  return {
    async collect(nowMs) {
      const refilling = cursor === null;
      const lostBefore = window.lostSummaries;
      let canaryRequests = 0;
      let dropped = false;
      let newestMs = Number.NEGATIVE_INFINITY;
      for (let more = true; more; ) {
        const batch = await stream.read(plan.service, cursor, READ_LIMIT);
        cursor = batch.cursor;
        dropped ||= batch.lost && !refilling;
        canaryRequests += fold(batch.summaries, nowMs);
        newestMs = Math.max(newestMs, batch.summaries.at(-1)?.secondMs ?? newestMs);
        more = batch.summaries.length === READ_LIMIT;
      }
      // A refill brings old news: it is a sign of life only as old as it says.
      if (newestMs > Number.NEGATIVE_INFINITY)
        arrivedAtMs = refilling ? Math.min(nowMs, newestMs + 1000) : nowMs;
      return {
        window,
        canaryRequests: refilling ? 0 : canaryRequests,
        lostNow: window.lostSummaries - lostBefore + (dropped ? 1 : 0),
        silentMs: arrivedAtMs === null ? null : nowMs - arrivedAtMs,
      };
    },
  };
}
