/**
 * The purge channel: carries purges of the cache to every gateway. Adapters: embedded, Redis; one conformance suite
 * (`test/conformance/purge-channel.ts`) runs on each. Knows nothing of what a purge matches.
 * @module
 */

import type { NumberedPurge, Purge } from '../core/policy/cache/purge.ts';

export interface PurgeReceipt {
  readonly sequence: number;
  /** Gateways heard of in the last seconds, and those of them that have applied it; null: could not be asked. */
  readonly reached: { readonly gateways: number; readonly applied: number } | null;
}

/** What is known where a watch begins, or begins anew. */
export interface PurgeHistory {
  /** Another one: sequences began again, so older ones mean nothing. */
  readonly generation: string;
  /** Of the newest purge; 0 before the first. */
  readonly sequence: number;
  /** The newest purges, oldest first, up to `sequence`. */
  readonly purges: readonly NumberedPurge[];
}

export interface PurgeListener {
  /** Each purge once, in order, without gaps. */
  onPurge(purge: NumberedPurge): void;
  /** Purges may have been missed, so everything stored up to now counts as purged. Also called first of all. */
  onHistory(history: PurgeHistory): void;
}

export interface PurgeChannel {
  /**
   * Numbers and publishes a purge, then waits up to a second for gateways to say that they have applied it.
   * Rejects with `UNAVAILABLE` when the channel does not answer; whether it was published is then unknown, and
   * publishing again does no harm.
   */
  publish(purge: Purge): Promise<PurgeReceipt>;
  /** Numbers and publishes purges in this order, and waits for no gateway. Rejects as `publish` does. */
  announce(purges: readonly Purge[]): Promise<void>;
  /**
   * Delivers the history, then every purge: by push, which may be lost, and by reading again on reconnect, on a gap
   * and every few seconds. Resolves when the first read has been delivered or has failed; ends with `signal`.
   */
  watch(gateway: string, listener: PurgeListener, signal: AbortSignal): Promise<void>;
}
