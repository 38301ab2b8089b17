/**
 * A claim on an idempotency key while its request is under way: gathers the answer and stores it, or gives the key
 * free. Goes on when the client leaves, because it is that client who will ask again. Knows no client response.
 * @module
 */

import { isAnswerKept } from '../core/policy/idempotency.ts';
import { KeptBytes } from '../core/policy/kept-bytes.ts';
import type { SharedState } from '../ports/shared-state.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Alarm } from './alarm.ts';
import type { DeadlineWheel } from './deadlines.ts';
import { bufferOf } from './kept-buffer.ts';

/** An answer as it is stored. */
export interface StoredAnswer {
  readonly status: number;
  /** Name, value, name, value … */
  readonly fields: readonly string[];
  /** Base64; null: it was too large to keep. */
  readonly body: string | null;
}

export interface IdempotentHoldOptions {
  readonly shared: SharedState;
  readonly key: string;
  readonly token: string;
  readonly ttlMs: number;
  readonly maxBytes: number;
  readonly wheel: DeadlineWheel;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

/** An answer that could not be stored is tried again this often, a second apart. */
const STORE_TRIES = 5;
const STORE_AGAIN_MS = 1_000;

export class IdempotentHold {
  readonly #options: IdempotentHoldOptions;
  #status = 0;
  #fields: readonly string[] = [];
  readonly #kept = new KeptBytes();
  #settled = false;

  constructor(options: IdempotentHoldOptions) {
    this.#options = options;
  }

  /** Stored or given free: the rest is of no interest. */
  get settled(): boolean {
    return this.#settled;
  }

  /** The response that was settled on. */
  head(status: number, fields: readonly string[]): void {
    this.#status = status;
    this.#fields = fields;
    if (!isAnswerKept(status)) this.release();
  }

  piece(piece: Buffer): void {
    if (this.#settled || this.#status === 0) return;
    if (this.#kept.length + piece.length <= this.#options.maxBytes) {
      this.#kept.add(piece);
    } else {
      // It was carried out: to do it again would be worse than to have no body to show.
      this.#settle({ status: this.#status, fields: [], body: null });
    }
  }

  end(): void {
    if (this.#settled || this.#status === 0) return;
    const body = bufferOf(this.#kept.joined()).toString('base64');
    this.#settle({ status: this.#status, fields: this.#fields, body });
  }

  /** There will be no answer: the request may be made again. Idempotent. */
  release(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#kept.clear();
    const { shared, key, token, logger } = this.#options;
    shared.abandonIdempotent(key, token).catch((error: unknown) => {
      logger.warn({ err: error }, 'an idempotency key was not given free; its claim will expire');
    });
  }

  #settle(answer: StoredAnswer): void {
    this.#settled = true;
    this.#kept.clear();
    this.#store(JSON.stringify(answer), STORE_TRIES);
  }

  #store(text: string, tries: number): void {
    const { shared, key, token, ttlMs, wheel, monotonicMs, logger } = this.#options;
    shared.completeIdempotent(key, token, text, ttlMs).catch((error: unknown) => {
      if (tries <= 1) {
        logger.error({ err: error }, 'the answer to an idempotency key was not stored');
        return;
      }
      wheel.arm(new Alarm(() => this.#store(text, tries - 1)), monotonicMs() + STORE_AGAIN_MS);
    });
  }
}
