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
  /** Note given at `start` or `retry`, where it is still known. */
  readonly message: string | null;
}

/** Rows newest first. `messages` holds the notes by run; events before a run's `started` are left out. */
export function summariseRuns(
  events: readonly RolloutEvent[],
  messages: ReadonlyMap<number, string>,
): readonly RunSummary[] {
  const rows = new Map<number, RunSummary>();
  for (const event of events) {
    const row = rows.get(event.run);
    if (row === undefined) {
      if (event.type === 'started') rows.set(event.run, startOf(event, messages.get(event.run) ?? null));
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

function startOf(event: RolloutEvent, message: string | null): RunSummary {
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
    message,
  };
}
