/**
 * What the gateways of one deployment count and remember together for their policies: limits, and the answers of
 * requests with an idempotency key. Adapters: in process and over Redis; knows no HTTP.
 * @module
 */

import type { LimitAnswer, LimitTake } from '../core/policy/limit-table.ts';

export interface SharedState {
  /**
   * Takes one request out of every limit, or out of none when one of them refuses. Limits of several subjects
   * may be charged for a moment before that is undone. Answers at once when it can, so that nobody waits for a
   * promise. Rejects with `UNAVAILABLE` when the state cannot be reached.
   */
  takeLimits(takes: readonly LimitTake[]): readonly LimitAnswer[] | Promise<readonly LimitAnswer[]>;

  /**
   * Claims an idempotency key for a request. A claim that is neither completed nor abandoned (the gateway died)
   * ends after `claimMs`.
   */
  beginIdempotent(key: string, fingerprint: string, claimMs: number): Promise<IdempotentClaim>;
  /** Keeps the answer for `ttlMs`, if the claim still holds. */
  completeIdempotent(key: string, token: string, answer: string, ttlMs: number): Promise<void>;
  /** Gives the key free, if the claim still holds: the request may be made again. */
  abandonIdempotent(key: string, token: string): Promise<void>;
}

export type IdempotentClaim =
  /** The caller makes the request; `token` proves its claim. */
  | { readonly kind: 'claimed'; readonly token: string }
  /** Another request with this key is under way. */
  | { readonly kind: 'in-flight' }
  /** The key belongs to a request with another fingerprint, under way or answered. */
  | { readonly kind: 'other-request' }
  | { readonly kind: 'answered'; readonly answer: string };
