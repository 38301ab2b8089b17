/**
 * RunSummary: one row per run of a rollout, derived from its event log, for `history` and the dashboard.
 * Knows neither where the log is kept nor how rows are shown.
 * @module
 */

import type { Actor, RolloutEvent } from '../domain/rollout-event.ts';

export type RunOutcome = 'running' | 'promoted' | 'aborted' | 'undone';

export interface RunSummary {
  readonly run: number;
  readonly baseline: string;
  readonly canary: string;
  readonly startedAtMs: number;
  /** Null while it runs. */
  readonly endedAtMs: number | null;
  readonly outcome: RunOutcome;
  /** Who started it. */
  readonly startedBy: Actor;
  /** Who ended it; null while it runs. */
  readonly endedBy: Actor | null;
  /** Why it ended; null while it runs. */
  readonly reason: string | null;
  /** The note given at `start` or `retry`; without one, what the operator wrote instead. */
  readonly message: string;
}

/** Rows newest first; events of a run whose `started` is not among them are left out. */
export function summariseRuns(events: readonly RolloutEvent[]): readonly RunSummary[] {
  const rows = new Map<number, RunSummary>();
  for (const event of events) {
    const row = rows.get(event.run);
    if (row === undefined) {
      if (event.type === 'started') rows.set(event.run, startOf(event));
    } else if (event.type === 'promoted' || event.type === 'aborted' || event.type === 'undone') {
      rows.set(event.run, {
        ...row,
        endedAtMs: event.atMs,
        outcome: event.type,
        endedBy: event.actor,
        reason: event.reason,
      });
    }
  }
  return [...rows.values()].sort((a, b) => b.run - a.run);
}

function startOf(event: RolloutEvent): RunSummary {
  return {
    run: event.run,
    baseline: event.baseline,
    canary: event.canary,
    startedAtMs: event.atMs,
    endedAtMs: null,
    outcome: 'running',
    startedBy: event.actor,
    endedBy: null,
    reason: null,
    message: event.reason,
  };
}
