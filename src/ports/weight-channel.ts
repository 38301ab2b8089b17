/**
 * The weight channel: the only way from the operator to gateways, and back. Adapters: embedded, Redis.
 * One conformance suite (`test/conformance/weight-channel.ts`) runs on each.
 * @module
 */

import type { Acknowledgement, SplitDocument } from '../core/domain/split-document.ts';

export type WriteResult =
  | { readonly ok: true }
  /** `stale-epoch`: a newer operator has written; `revision-conflict`: the document is not the expected one. */
  | {
      readonly ok: false;
      readonly cause: 'stale-epoch' | 'revision-conflict';
      readonly current: SplitDocument | null;
    };

/** A gateway as the operator sees it. */
export interface LiveAcknowledgement extends Acknowledgement {
  /** Age of the newest sign of life, milliseconds, by one clock (the channel's). */
  readonly ageMs: number;
}

/**
 * `stored`: found by the first read of a watch, or by the first after an outage. Nobody knows how old it is, so it
 * says nothing about its lease. `published`: written while the watch looked on, a few seconds ago at most.
 */
export type SplitOrigin = 'stored' | 'published';

export interface WeightListener {
  /** The newest document of a service; called again only with a higher revision or epoch. */
  onSplit(split: SplitDocument, origin: SplitOrigin): void;
  /**
   * The lease of this revision was renewed while the watch looked on: not before it, nor in an outage. Gateways
   * time leases from here by their own monotonic clock.
   */
  onRenewal(service: string, revision: number): void;
  /** The channel answered or stopped answering. Weights stay as they are; a lease may run out. */
  onConnection(connected: boolean): void;
}

export interface WeightChannel {
  /** The stored document, or null when none was ever written. */
  read(service: string): Promise<SplitDocument | null>;
  /**
   * Stores and publishes `split` if the stored epoch is not higher and the stored revision is exactly
   * `split.revision − 1`. When nothing is stored, any revision from 1 is accepted, so that an operator can
   * publish again after the channel lost its data. After a loss of only the newest writes, the operator's
   * next lease has a new epoch: writing under it makes gateways accept the document, since they ignore one
   * that is not newer than theirs. A write also counts as a renewal.
   */
  write(split: SplitDocument): Promise<WriteResult>;
  /** Renews the lease of the stored document; refused like a write when revision or epoch are not current. */
  renew(service: string, revision: number, epoch: number): Promise<WriteResult>;
  /**
   * Delivers the stored documents of `services` at once, then every newer one: by push, and by reading again
   * on reconnect, on a gap and every few seconds, so a lost message is made good. Resolves when the first
   * read has been delivered or has failed; ends with `signal`. Never rejects for a channel that is down.
   */
  watch(services: readonly string[], listener: WeightListener, signal: AbortSignal): Promise<void>;
  /** Sign of life of a gateway: what it applies now. */
  acknowledge(acknowledgement: Acknowledgement): Promise<void>;
  /** Newest acknowledgement of every gateway heard of in the last 60 s. */
  acknowledgements(service: string): Promise<readonly LiveAcknowledgement[]>;
}
