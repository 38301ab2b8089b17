/**
 * Rates and quotas of many keys in a table of bounded size: takes a request out of several limits at once, all
 * or nothing. Knows neither what the keys mean nor what time it is.
 * @module
 */

import { decideRate } from './gcra.ts';

/** One limit that a request counts against. */
export type LimitTake =
  | {
      readonly kind: 'rate';
      /** Which limit: its name and numbers, so that a changed limit starts afresh. */
      readonly limit: string;
      /** Whose requests are counted together. */
      readonly subject: string;
      readonly intervalUs: number;
      readonly burst: number;
    }
  | {
      readonly kind: 'quota';
      readonly limit: string;
      readonly subject: string;
      readonly max: number;
      /** Epoch milliseconds. */
      readonly startMs: number;
      readonly endMs: number;
    };

export interface LimitAnswer {
  /** This limit alone would let the request pass. It counts only when all of them do. */
  readonly allowed: boolean;
  /** Further requests that would pass now. */
  readonly remaining: number;
  /** Until a request can pass, milliseconds; 0 when allowed. */
  readonly retryAfterMs: number;
  /** Until all of the limit is there again, milliseconds. */
  readonly resetMs: number;
}

/** The least recently used key gives way to a new one; it then has its whole limit again. */
export class LimitTable {
  readonly #maxKeys: number;
  /** Rate: when the key is idle, µs. Quota: requests so far. In order of last use. */
  readonly #values = new Map<string, number>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#values.size;
  }

  /** One answer per limit, in their order. */
  take(takes: readonly LimitTake[], nowUs: number): readonly LimitAnswer[] {
    const keys: string[] = [];
    const values: number[] = [];
    const answers: LimitAnswer[] = [];
    let allowed = true;
    for (const take of takes) {
      const key = keyOf(take);
      const old = this.#values.get(key) ?? 0;
      keys.push(key);
      if (take.kind === 'rate') {
        const decision = decideRate(take, old, nowUs);
        values.push(decision.idleAtUs);
        allowed &&= decision.allowed;
        answers.push({
          allowed: decision.allowed,
          remaining: decision.remaining,
          retryAfterMs: decision.retryAfterUs / 1000,
          resetMs: decision.resetUs / 1000,
        });
      } else {
        const answer = answerOfQuota(take, old, nowUs / 1000);
        values.push(old + 1);
        allowed &&= answer.allowed;
        answers.push(answer);
      }
    }
    for (let i = 0; allowed && i < keys.length; i += 1) this.#put(keys[i] ?? '', values[i] ?? 0);
    return answers;
  }

  #put(key: string, value: number): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#maxKeys) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      return;
    }
  }
}

/** `used`: requests of this window before this one. */
export function answerOfQuota(
  take: Extract<LimitTake, { kind: 'quota' }>,
  used: number,
  nowMs: number,
): LimitAnswer {
  const allowed = used < take.max;
  const untilEndMs = Math.max(0, take.endMs - nowMs);
  return {
    allowed,
    remaining: Math.max(0, take.max - used - (allowed ? 1 : 0)),
    retryAfterMs: allowed ? 0 : untilEndMs,
    resetMs: untilEndMs,
  };
}

function keyOf(take: LimitTake): string {
  const key = `${take.limit}\n${take.subject}`;
  return take.kind === 'rate' ? key : `${key}\n${take.startMs}`;
}
