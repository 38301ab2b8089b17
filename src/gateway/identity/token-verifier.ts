/**
 * What every kind of credential offers: a verdict on it, from memory or after asking. Owns the memory of verified
 * ones; knows neither requests nor routes.
 * @module
 */

import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { AuthOutcome } from './auth-metrics.ts';

export type InvalidCause = Extract<
  AuthOutcome,
  'malformed' | 'expired' | 'claims' | 'signature' | 'unknown_key' | 'unacceptable'
>;

export type TokenVerdict =
  | { readonly kind: 'valid'; readonly claims: JWTPayload }
  /** `reason`: a short phrase without any part of the token. */
  | { readonly kind: 'invalid'; readonly cause: InvalidCause; readonly reason: string }
  /** Nobody can be asked now: says nothing about the token. */
  | { readonly kind: 'unavailable' };

export interface TokenVerifier {
  /** Whether the text has the form of its tokens. */
  accepts(token: string): boolean;
  /** The verdict on a token that was verified a while ago, without waiting. */
  recall(token: string): JWTPayload | undefined;
  verify(token: string): Promise<TokenVerdict>;
  /** Lets go of what it holds open. */
  close?(): void;
}

export const MALFORMED: TokenVerdict = {
  kind: 'invalid',
  cause: 'malformed',
  reason: 'the token is malformed',
};

/** Tokens are secrets: what is remembered goes by their digests. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'base64');
}

/** The last used tokens by digest, each with what is known of it. */
export class TokenMemory<Known> {
  readonly #known = new Map<string, Known>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#known.size;
  }

  get(digest: string): Known | undefined {
    const known = this.#known.get(digest);
    if (known === undefined) return undefined;
    // Last used, last in order: the first of the map is the one to forget.
    this.#known.delete(digest);
    this.#known.set(digest, known);
    return known;
  }

  set(digest: string, known: Known): void {
    this.#known.delete(digest);
    const oldest = this.#known.size >= this.#max ? this.#known.keys().next() : undefined;
    if (oldest?.done === false) this.#known.delete(oldest.value);
    this.#known.set(digest, known);
  }

  delete(digest: string): void {
    this.#known.delete(digest);
  }
}
