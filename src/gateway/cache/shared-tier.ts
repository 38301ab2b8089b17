/**
 * The second level of the cache: asks the tier that gateways share, with patience, and goes on without it when it is
 * away. Owns what is on its way there; decides nothing about freshness.
 * @module
 */

import { varyKey } from '../../core/policy/cache/vary.ts';
import type { CacheTier } from '../../ports/cache-tier.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Alarm } from '../alarm.ts';
import type { DeadlineWheel } from '../deadlines.ts';
import { SHARED_STATE_RETRY_MS, SHARED_STATE_WAIT_MS } from '../limits.ts';
import type { StoredKey, StoredResponse } from './stored-response.ts';
import {
  readShared,
  type SharedMark,
  type SharedResponse,
  writeResponse,
  writeVaries,
} from './stored-text.ts';

/** Larger bodies stay in the gateway that has them. */
const MAX_SHARED_BYTES = 1_048_576;
/** Writes on their way; more are left out. */
const MAX_WRITES = 256;

export interface TierOptions {
  readonly tier: CacheTier;
  readonly wheel: DeadlineWheel;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

export class SharedTier {
  readonly #options: TierOptions;
  #downUntilMs = 0;
  #down = false;
  #writes = 0;
  hits = 0;
  misses = 0;
  failures = 0;

  constructor(options: TierOptions) {
    this.#options = options;
  }

  /** Whether asking is of any use now. */
  get answers(): boolean {
    return this.#options.monotonicMs() >= this.#downUntilMs;
  }

  /** Calls back once, in time, with what the tier has for such a request. */
  find(
    key: StoredKey & Pick<StoredResponse, 'queryKey'>,
    read: (name: string) => string | undefined,
    done: (found: SharedResponse | null) => void,
  ): void {
    const { wheel, monotonicMs } = this.#options;
    let waiting = true;
    const end = (found: SharedResponse | null): void => {
      if (!waiting) return;
      waiting = false;
      wheel.disarm(alarm);
      done(found);
    };
    const lost = (error: unknown): void => {
      if (waiting) this.#lost(error);
      end(null);
    };
    const alarm = new Alarm(() => lost(new Error(`no answer within ${SHARED_STATE_WAIT_MS} ms`)));
    wheel.arm(alarm, monotonicMs() + SHARED_STATE_WAIT_MS);
    this.#read(key, read).then((found) => {
      this.#found();
      if (waiting) this[found === null ? 'misses' : 'hits'] += 1;
      end(found);
    }, lost);
  }

  /** Keeps it for `ttlMs`; nobody waits for that. */
  put(stored: StoredResponse, mark: SharedMark, ttlMs: number): void {
    if (ttlMs < 1 || stored.body.length > MAX_SHARED_BYTES || mark.generation === '') return;
    const { tier } = this.#options;
    const { resource, selector, vary } = stored;
    this.#write(async () => {
      if (vary.length > 0) await tier.put(resource, selector, writeVaries(vary), ttlMs);
      const key = vary.length > 0 ? variantKey(selector, vary, stored.varyKey) : selector;
      await tier.put(resource, key, writeResponse(stored, mark), ttlMs);
    });
  }

  drop(resource: string): void {
    this.#write(() => this.#options.tier.drop(resource));
  }

  async #read(
    { resource, selector, queryKey }: StoredKey & Pick<StoredResponse, 'queryKey'>,
    read: (name: string) => string | undefined,
  ): Promise<SharedResponse | null> {
    const { tier } = this.#options;
    const get = async (key: string) => {
      const bytes = await tier.get(resource, key);
      return bytes === null ? null : readShared(bytes, queryKey);
    };
    let value = await get(selector);
    if (value?.kind === 'varies') {
      value = await get(variantKey(selector, value.vary, varyKey(value.vary, read)));
    }
    return value?.kind === 'response' ? value.response : null;
  }

  #write(work: () => Promise<void>): void {
    if (!this.answers || this.#writes >= MAX_WRITES) {
      this.failures += 1;
      return;
    }
    this.#writes += 1;
    work()
      .catch((error: unknown) => this.#lost(error))
      .finally(() => {
        this.#writes -= 1;
      });
  }

  #lost(error: unknown): void {
    const { logger, monotonicMs } = this.#options;
    this.failures += 1;
    if (!this.#down) logger.warn({ err: error }, 'the cache is not shared: the tier cannot be reached');
    this.#down = true;
    this.#downUntilMs = monotonicMs() + SHARED_STATE_RETRY_MS;
  }

  #found(): void {
    if (!this.#down) return;
    this.#down = false;
    this.#options.logger.info({}, 'the cache is shared again');
  }
}

function variantKey(selector: string, vary: readonly string[], values: string): string {
  return `${selector}\n${vary.join(',')}\n${values}`;
}
