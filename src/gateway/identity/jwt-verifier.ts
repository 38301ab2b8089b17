/**
 * Verifies JSON Web Tokens by one provider's keys and remembers what it verified. Knows tokens, neither requests nor
 * routes; where keys come from is in `key-source.ts`.
 * @module
 */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  createLocalJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { JwtProvider } from '../../config/policies/identity.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { MAX_CACHED_TOKENS, MAX_TOKEN_LENGTH, TOKEN_RECHECK_MS } from '../limits.ts';
import { KeysUnavailable, vettedKeySet } from './key-source.ts';
import {
  type InvalidCause,
  MALFORMED,
  TokenMemory,
  type TokenVerdict,
  type TokenVerifier,
  tokenDigest,
} from './token-verifier.ts';

/** Compact form, unpadded, no white space: jose tolerates more, which would let one token have many spellings. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** jose's codes that mean the token, not the keys, is at fault. */
const TOKEN_FAULTS: Readonly<Record<string, readonly [InvalidCause, string]>> = {
  ERR_JWT_EXPIRED: ['expired', 'the token has expired'],
  ERR_JWT_CLAIM_VALIDATION_FAILED: ['claims', 'a claim of the token is not acceptable'],
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: ['signature', 'the signature does not verify'],
  ERR_JWT_INVALID: ['malformed', 'the token is malformed'],
  ERR_JWS_INVALID: ['malformed', 'the token is malformed'],
  ERR_JOSE_ALG_NOT_ALLOWED: ['unacceptable', 'the algorithm is not allowed'],
  ERR_JOSE_NOT_SUPPORTED: ['unacceptable', 'the token uses a feature that is not supported'],
  ERR_JWKS_NO_MATCHING_KEY: ['unknown_key', 'no key matches the token'],
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: ['unknown_key', 'more than one key matches the token'],
};

interface Remembered {
  readonly claims: JWTPayload;
  readonly untilMs: number;
}

export class JwtVerifier implements TokenVerifier {
  readonly #provider: JwtProvider;
  readonly #keys: JWTVerifyGetKey;
  readonly #clock: Clock;
  readonly #remembered = new TokenMemory<Remembered>(MAX_CACHED_TOKENS);

  constructor(provider: JwtProvider, keys: JWTVerifyGetKey, clock: Clock) {
    this.#provider = provider;
    this.#keys = keys;
    this.#clock = clock;
  }

  accepts(token: string): boolean {
    return COMPACT.test(token);
  }

  recall(token: string): JWTPayload | undefined {
    if (this.#remembered.size === 0) return undefined;
    const digest = tokenDigest(token);
    const entry = this.#remembered.get(digest);
    if (entry === undefined || entry.untilMs > this.#clock.nowMs()) return entry?.claims;
    this.#remembered.delete(digest);
    return undefined;
  }

  /** A token that names no key may be of any that fits: while keys are rotated there are several. */
  async #payload(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, this.#keys, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, options)).payload;
        } catch (fault) {
          if (!(fault instanceof errors.JWSSignatureVerificationFailed)) throw fault;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  async verify(token: string): Promise<TokenVerdict> {
    if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) return MALFORMED;
    const nowMs = this.#clock.nowMs();
    const { issuer, audience, algorithms, clockToleranceMs } = this.#provider;
    try {
      const payload = await this.#payload(token, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceMs / 1000,
        // A token without an end would be good for ever, and could not be withdrawn.
        requiredClaims: ['exp'],
        currentDate: new Date(nowMs),
      });
      const expiryMs = (payload.exp ?? 0) * 1000 + clockToleranceMs;
      const untilMs = Math.min(nowMs + TOKEN_RECHECK_MS, expiryMs);
      this.#remembered.set(tokenDigest(token), { claims: payload, untilMs });
      return { kind: 'valid', claims: payload };
    } catch (error) {
      if (error instanceof KeysUnavailable) return { kind: 'unavailable' };
      const fault = error instanceof errors.JOSEError ? TOKEN_FAULTS[error.code] : undefined;
      // What is left is a key that does not fit the algorithm that the token names: no key for this token.
      const [cause, reason] = fault ?? ['unacceptable', 'the token does not fit its key'];
      return { kind: 'invalid', cause, reason };
    }
  }
}

/** Keys of a file, read at once, so that an unreadable one fails the (re)load. */
export async function keysOfFile(file: string, configPath: string, logger: Logger): Promise<JWTVerifyGetKey> {
  const path = resolve(dirname(configPath), file);
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  return createLocalJWKSet(vettedKeySet(value, logger, path));
}
