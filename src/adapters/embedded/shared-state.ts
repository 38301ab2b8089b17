/**
 * Limits and idempotency keys inside one process, in tables of bounded size.
 * Knows nothing of what the keys and answers mean.
 * @module
 */

import { randomUUID } from 'node:crypto';
import { LimitTable } from '../../core/policy/limit-table.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SharedState } from '../../ports/shared-state.ts';

const MAX_LIMIT_KEYS = 100_000;
const MAX_ANSWERS = 10_000;
/** Characters of all answers together. */
const MAX_ANSWER_LENGTH = 67_108_864;

interface Entry {
  readonly fingerprint: string;
  readonly token: string;
  /** Null while the request is under way. */
  readonly answer: string | null;
  readonly expiresMs: number;
}

export interface SharedStateBounds {
  readonly maxLimitKeys?: number;
  readonly maxAnswers?: number;
  readonly maxAnswerLength?: number;
}

/** What is beyond a bound pushes the oldest out: limits are whole again, answers forgotten, claims last. */
export function createEmbeddedSharedState(clock: Clock, bounds: SharedStateBounds = {}): SharedState {
  const limits = new LimitTable(bounds.maxLimitKeys ?? MAX_LIMIT_KEYS);
  const maxAnswers = bounds.maxAnswers ?? MAX_ANSWERS;
  const maxLength = bounds.maxAnswerLength ?? MAX_ANSWER_LENGTH;
  /** In the order in which they were written. */
  const entries = new Map<string, Entry>();
  let length = 0;

  function remove(key: string): void {
    length -= entries.get(key)?.answer?.length ?? 0;
    entries.delete(key);
  }

  function put(key: string, entry: Entry): void {
    remove(key);
    entries.set(key, entry);
    length += entry.answer?.length ?? 0;
    if (entries.size <= maxAnswers && length <= maxLength) return;
    for (const [oldest, { answer }] of entries) {
      if (oldest === key || (answer === null && entries.size <= 2 * maxAnswers)) continue;
      remove(oldest);
      if (entries.size <= maxAnswers && length <= maxLength) return;
    }
  }

  /** The entry of a key that has not expired. */
  function live(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.expiresMs > clock.nowMs()) return entry;
    remove(key);
    return undefined;
  }

  return {
    takeLimits: (takes) => limits.take(takes, Math.floor(clock.nowMs() * 1000)),

    async beginIdempotent(key, fingerprint, claimMs) {
      const entry = live(key);
      if (entry === undefined) {
        const token = randomUUID();
        put(key, { fingerprint, token, answer: null, expiresMs: clock.nowMs() + claimMs });
        return { kind: 'claimed', token };
      }
      if (entry.fingerprint !== fingerprint) return { kind: 'other-request' };
      return entry.answer === null ? { kind: 'in-flight' } : { kind: 'answered', answer: entry.answer };
    },

    async completeIdempotent(key, token, answer, ttlMs) {
      const entry = live(key);
      if (entry?.token !== token || entry.answer !== null) return;
      put(key, { ...entry, answer, expiresMs: clock.nowMs() + ttlMs });
    },

    async abandonIdempotent(key, token) {
      const entry = live(key);
      if (entry?.token === token && entry.answer === null) remove(key);
    },
  };
}
