/**
 * Tells all gateways what requests through this one have outdated: in order, one batch at a time, again until the channel
 * takes it. Owns what is still to be told; knows nothing of what a purge matches.
 * @module
 */

import type { Purge } from '../../core/policy/cache/purge.ts';
import type { PurgeChannel } from '../../ports/purge-channel.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Alarm } from '../alarm.ts';
import type { DeadlineWheel } from '../deadlines.ts';
import { SHARED_STATE_RETRY_MS } from '../limits.ts';

/** Purges that wait to be told; instead of more, everything is purged. */
const MAX_WAITING = 1_000;
const EVERYTHING: Purge = { by: 'prefix', value: '/', service: null };

export interface AnnouncerOptions {
  readonly channel: Pick<PurgeChannel, 'announce'>;
  readonly wheel: DeadlineWheel;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

export class PurgeAnnouncer {
  readonly #options: AnnouncerOptions;
  /** By their text, so that one that waits is told once. */
  readonly #waiting = new Map<string, Purge>();
  #busy = false;
  #away = false;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  announce(purge: Purge): void {
    if (this.#waiting.size >= MAX_WAITING) {
      this.#waiting.clear();
      this.#wait(EVERYTHING);
    }
    this.#wait(purge);
    if (!this.#busy && !this.#away) void this.#tell();
  }

  close(): void {
    this.#closed = true;
  }

  #wait(purge: Purge): void {
    this.#waiting.set(JSON.stringify(purge), purge);
  }

  async #tell(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.size > 0 && !this.#away && !this.#closed) {
      const batch = [...this.#waiting.values()];
      this.#waiting.clear();
      try {
        await this.#options.channel.announce(batch);
      } catch (error) {
        this.#later(batch, error);
      }
    }
    this.#busy = false;
  }

  /** Whether some of it was told is not known; to tell it twice does no harm. */
  #later(batch: readonly Purge[], error: unknown): void {
    const { logger, wheel, monotonicMs } = this.#options;
    if (this.#closed) return;
    const newer = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const purge of [...batch, ...newer]) this.#wait(purge);
    logger.warn({ err: error }, 'other gateways have not been told what is outdated; they will be');
    this.#away = true;
    const again = (): void => {
      this.#away = false;
      void this.#tell();
    };
    wheel.arm(new Alarm(again), monotonicMs() + SHARED_STATE_RETRY_MS);
  }
}
