/**
 * The rollout store: records, event logs, operator leases and notification cursors. Durable before it answers.
 * Adapters: embedded files, Redis. Conformance suite: `test/conformance/rollout-store.ts`.
 * @module
 */

import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutRecord } from '../core/rollout/state.ts';

export interface Commit {
  /** Replaces the stored record; `record.version` is one more than the stored one (1 for the first). */
  readonly record: RolloutRecord;
  /** Appended to the log in the same atomic write; may be empty. */
  readonly events: readonly RolloutEvent[];
  /** Epoch of the lease on `record.service` that the writer holds. */
  readonly epoch: number;
  /**
   * Puts back what the store has lost: accepted only while nothing is stored of the rollout, with the version
   * that the record has. Events are the newest that the writer still knows.
   */
  readonly afterLoss?: true;
}

export type CommitResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly cause: 'stale-epoch' | 'version-conflict' };

export interface LeaseGrant {
  /**
   * Grows with every change of holder and across a restart of the store, even when that loses data: a new
   * epoch is at least the store's time in seconds.
   */
  readonly epoch: number;
}

export type LeaseResult =
  | { readonly ok: true; readonly grant: LeaseGrant }
  /** `contact`: where the holder's control API listens, so that requests can be passed on. */
  | { readonly ok: false; readonly holder: string; readonly contact: string };

export interface RolloutStore {
  load(rollout: string): Promise<RolloutRecord | null>;
  /** All records, by name. */
  list(): Promise<readonly RolloutRecord[]>;
  commit(commit: Commit): Promise<CommitResult>;
  /** Events after a sequence, oldest first. */
  events(rollout: string, afterSequence: number, limit: number): Promise<readonly RolloutEvent[]>;
}

/** Who may write for a service. A lease runs out by itself `ttlMs` after the last acquire or renewal. */
export interface ServiceLeases {
  /** Takes the lease or renews one's own (same holder: same epoch, unless it ran out or the store restarted). */
  acquire(service: string, holder: string, contact: string, ttlMs: number): Promise<LeaseResult>;
  /** Gives it up; nothing happens when it is another's. */
  release(service: string, holder: string): Promise<void>;
}

/** How far each notifier has got in each rollout's log: the log is the outbox. */
export interface NotificationCursors {
  /** Sequence of the last event that was delivered or given up; 0 for none. */
  load(notifier: string, rollout: string): Promise<number>;
  save(notifier: string, rollout: string, sequence: number): Promise<void>;
}
