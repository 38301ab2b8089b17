/**
 * Asks an authorization server what a token is worth (RFC 7662) and remembers the answer for a while, good or bad.
 * Knows tokens, neither requests nor routes.
 * @module
 */

import type { JWTPayload } from 'jose';
import type { IntrospectionProvider } from '../../config/policies/identity.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import {
  MAX_CACHED_TOKENS,
  MAX_INTROSPECTION_BYTES,
  MAX_INTROSPECTIONS,
  MAX_TOKEN_LENGTH,
} from '../limits.ts';
import type { ProviderHealth } from './auth-metrics.ts';
import type { AskJson } from './bounded-fetch.ts';
import { TokenMemory, type TokenVerdict, type TokenVerifier, tokenDigest } from './token-verifier.ts';

interface Remembered {
  readonly verdict: TokenVerdict;
  /** Not asked again before. */
  readonly untilMs: number;
  /** Not used after, even while nobody can be asked. */
  readonly endMs: number;
}

export interface IntrospectorOptions {
  readonly name: string;
  readonly provider: IntrospectionProvider;
  readonly clientSecret: string;
  readonly ask: AskJson;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: ProviderHealth;
}

const UNAVAILABLE: TokenVerdict = { kind: 'unavailable' };

export class Introspector implements TokenVerifier {
  readonly #options: IntrospectorOptions;
  readonly #authorization: string;
  readonly #remembered = new TokenMemory<Remembered>(MAX_CACHED_TOKENS);
  readonly #asking = new Map<string, Promise<TokenVerdict>>();

  constructor(options: IntrospectorOptions) {
    this.#options = options;
    // RFC 6749 §2.3.1: both are form-encoded first.
    const pair = `${formEncoded(options.provider.clientId)}:${formEncoded(options.clientSecret)}`;
    this.#authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }

  accepts(token: string): boolean {
    return token.length <= MAX_TOKEN_LENGTH;
  }

  recall(token: string): JWTPayload | undefined {
    if (this.#remembered.size === 0) return undefined;
    const known = this.#remembered.get(tokenDigest(token));
    if (known === undefined || known.untilMs <= this.#options.clock.nowMs()) return undefined;
    return known.verdict.kind === 'valid' ? known.verdict.claims : undefined;
  }

  verify(token: string): Promise<TokenVerdict> {
    const digest = tokenDigest(token);
    const known = this.#remembered.get(digest);
    if (known !== undefined && known.untilMs > this.#options.clock.nowMs())
      return Promise.resolve(known.verdict);
    const asking = this.#asking.get(digest);
    if (asking !== undefined) return asking;
    // Made-up tokens must not be a way to pile up questions.
    if (this.#asking.size >= MAX_INTROSPECTIONS) return Promise.resolve(UNAVAILABLE);
    const question = this.#ask(token, digest, known).finally(() => this.#asking.delete(digest));
    this.#asking.set(digest, question);
    return question;
  }

  async #ask(token: string, digest: string, known: Remembered | undefined): Promise<TokenVerdict> {
    const { provider, ask, clock, logger, health, name } = this.#options;
    try {
      const answer = await ask({
        url: provider.url,
        method: 'POST',
        headers: {
          authorization: this.#authorization,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: `token=${formEncoded(token)}&token_type_hint=access_token`,
        timeoutMs: provider.timeoutMs,
        maxBytes: MAX_INTROSPECTION_BYTES,
      });
      const remembered = this.#judge(answer, clock.nowMs());
      this.#remembered.set(digest, remembered);
      health.down = false;
      return remembered.verdict;
    } catch (error) {
      health.failures += 1;
      if (!health.down) logger.warn({ err: error, provider: name }, 'tokens cannot be introspected');
      health.down = true;
      if (known?.verdict.kind !== 'valid' || known.endMs <= clock.nowMs()) return UNAVAILABLE;
      health.staleUses += 1;
      return known.verdict;
    }
  }

  /** Throws on an answer that is none. */
  #judge(answer: unknown, nowMs: number): Remembered {
    const { provider, name } = this.#options;
    if (typeof answer !== 'object' || answer === null || !('active' in answer)) {
      throw new Error('the answer does not say whether the token is active');
    }
    const fields: Readonly<Record<string, unknown>> = { ...answer };
    if (typeof fields.active !== 'boolean')
      throw new Error('the answer does not say whether the token is active');
    const expiryMs = timeOf(fields.exp, Number.POSITIVE_INFINITY);
    const bad = (cause: 'expired' | 'claims' | 'unknown_key', reason: string): Remembered => {
      const endMs = nowMs + provider.negativeCacheMs;
      return { verdict: { kind: 'invalid', cause, reason }, untilMs: endMs, endMs };
    };
    if (!fields.active) return bad('unknown_key', 'the token is not active');
    if (expiryMs <= nowMs) return bad('expired', 'the token has expired');
    if (timeOf(fields.nbf, 0) > nowMs) return bad('claims', 'the token is not valid yet');
    const { issuer, audience } = provider;
    if (
      (issuer !== null && fields.iss !== issuer) ||
      (audience !== null && ![fields.aud].flat().includes(audience))
    ) {
      return bad('claims', 'a claim of the token is not acceptable');
    }
    const untilMs = Math.min(nowMs + provider.cacheMs, expiryMs);
    return {
      verdict: { kind: 'valid', claims: claimsOf(fields, name) },
      untilMs,
      endMs: Math.min(untilMs + provider.staleMs, expiryMs),
    };
  }
}

/** Callers of different servers are never the same, and neither are clients and users. */
function claimsOf(fields: Readonly<Record<string, unknown>>, provider: string): JWTPayload {
  const { iss, sub, client_id: client } = fields;
  return {
    ...fields,
    iss: typeof iss === 'string' ? iss : `introspection:${provider}`,
    ...(typeof sub !== 'string' && typeof client === 'string' && { sub: `client:${client}` }),
  };
}

/** A NumericDate (RFC 7519 §2) in milliseconds; throws on anything else. */
function timeOf(value: unknown, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new Error('the answer has a time that is none');
  return value * 1000;
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
