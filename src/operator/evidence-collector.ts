/**
 * Reads the telemetry stream of one service: into a short window of what is going on now, and into whole seconds for
 * the judge, each of them once. After a restart the retained stream fills the windows again without being judged
 * again. Keeps count of what was new since the last look and of which gateways report.
 * @module
 */

import { type EvidenceWindow, emptyWindow, foldSummary } from '../core/analysis/evidence-window.ts';
import { baselineOf, type Second } from '../core/analysis/second.ts';
import { SecondLedger } from '../core/analysis/second-ledger.ts';
import type { Plan } from '../core/domain/plan.ts';
import { type TelemetrySummary, totalOf, type VersionSummary } from '../core/domain/telemetry.ts';
import type { TelemetryStream } from '../ports/telemetry-stream.ts';

const READ_LIMIT = 2_000;
/** Served share, silence and sparklines look back this far. */
const SPAN_MS = 60_000;
/** A second further from its arrival than this comes from another clock, or late: it counts when it arrives. */
const MAX_SKEW_MS = 5_000;
/** Gateways remembered; names come and go with deployments. */
const MAX_GATEWAYS = 1_000;

export interface Collected {
  readonly window: EvidenceWindow;
  /** Seconds that the judge has seen before a restart, or that are older than the run: they fill its windows. */
  readonly recalled: readonly Second[];
  /** Seconds that are complete now, in order; the judge bets on each. */
  readonly seconds: readonly Second[];
  /** Canary requests folded since the last collection; none of a refill. */
  readonly canaryRequests: number;
  /** Mirrored answers of the canary that were compared, the same way. */
  readonly compared: number;
  readonly lostNow: number;
  /** Since a new summary last arrived, milliseconds; null when none ever did. */
  readonly silentMs: number | null;
  /** By gateway: when its newest summary arrived, epoch milliseconds by the operator's clock. */
  readonly heardAtMs: ReadonlyMap<string, number>;
}

export interface EvidenceCollector {
  collect(nowMs: number): Promise<Collected>;
}

/**
 * `sinceMs`: start of the run; of what was emitted before, only the baseline matters, as history. `judgedToMs`: seconds
 * before this one have been judged; null: none has.
 */
export function createEvidenceCollector(
  plan: Plan,
  sinceMs: number,
  judgedToMs: number | null,
  stream: TelemetryStream,
): EvidenceCollector {
  const beginMs = Math.floor(sinceMs / 1000) * 1000;
  const ledger = new SecondLedger(plan, judgedToMs ?? beginMs);
  /** What a refill finds of judged seconds. */
  const past = new SecondLedger(plan, 0);
  let window = emptyWindow(SPAN_MS);
  let cursor: string | null = null;
  let refilled = false;
  const heardAtMs = new Map<string, number>();

  const hear = (gateway: string, atMs: number): void => {
    const newest = Math.max(atMs, heardAtMs.get(gateway) ?? 0);
    heardAtMs.delete(gateway);
    heardAtMs.set(gateway, newest);
    if (heardAtMs.size > MAX_GATEWAYS) heardAtMs.delete(heardAtMs.keys().next().value as string);
  };

  /** Folds one summary; returns what it says of the canary, unless that is known or too old. */
  const fold = (sent: TelemetrySummary, nowMs: number): VersionSummary | undefined => {
    const emittedAtMs = sent.secondMs + 1000;
    if (!refilled && emittedAtMs < sinceMs) {
      past.fold(sent, nowMs);
      return undefined;
    }
    const skewed = refilled ? Math.abs(nowMs - emittedAtMs) > MAX_SKEW_MS : emittedAtMs > nowMs + MAX_SKEW_MS;
    const summary = skewed ? { ...sent, secondMs: nowMs } : sent;
    const before = window;
    window = foldSummary(before, summary);
    if (window === before) return undefined;
    const judged = !refilled && summary.secondMs < ledger.nextMs;
    (judged ? past : ledger).fold(summary, nowMs);
    hear(sent.gateway, refilled ? nowMs : Math.min(nowMs, emittedAtMs));
    return window.buckets === before.buckets ? undefined : sent.versions[plan.canary];
  };

  /** In order, and without a canary where it is an earlier run's. */
  const recall = (): readonly Second[] =>
    past.drain().map((second) => (second.startMs < beginMs - 1000 ? baselineOf(second) : second));

  return {
    async collect(nowMs) {
      const lostBefore = window.lostSummaries;
      const refilling = !refilled;
      let canaryRequests = 0;
      let compared = 0;
      let dropped = false;
      for (let more = true; more; ) {
        const batch = await stream.read(plan.service, cursor, READ_LIMIT);
        cursor = batch.cursor;
        dropped ||= batch.lost && !refilling;
        for (const summary of batch.summaries) {
          const canary = fold(summary, nowMs);
          canaryRequests += canary ? totalOf(canary.attempts.outcomes) : 0;
          compared += canary?.mirrored?.compared ?? 0;
        }
        more = batch.summaries.length === READ_LIMIT;
      }
      refilled = true;
      const newestMs = heardAtMs.size === 0 ? null : Math.max(...heardAtMs.values());
      return {
        window,
        recalled: refilling ? recall() : [],
        seconds: ledger.close(nowMs),
        canaryRequests: refilling ? 0 : canaryRequests,
        compared: refilling ? 0 : compared,
        lostNow: window.lostSummaries - lostBefore + (dropped ? 1 : 0),
        silentMs: newestMs === null ? null : nowMs - newestMs,
        heardAtMs,
      };
    },
  };
}
