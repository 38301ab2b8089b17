/**
 * Verifies bearer tokens by one provider's keys and remembers what it verified. Knows tokens and keys, neither
 * requests nor routes.
 * @module
 */

import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { GatewayConfig, JwtProvider } from '../config/gateway-model.ts';
import type { Clock } from '../ports/clock.ts';
import { MAX_CACHED_TOKENS, MAX_TOKEN_LENGTH, TOKEN_RECHECK_MS } from './limits.ts';

export type TokenVerdict =
  | { readonly kind: 'valid'; readonly claims: JWTPayload }
  /** `reason`: a short phrase without any part of the token. */
  | { readonly kind: 'invalid'; readonly reason: string }
  /** The keys could not be read: says nothing about the token. */
  | { readonly kind: 'keys-unavailable' };

export interface TokenVerifier {
  /** The verdict on a token that was verified a while ago, without waiting. */
  recall(token: string): JWTPayload | undefined;
  verify(token: string): Promise<TokenVerdict>;
}

const JWKS_TIMEOUT_MS = 5_000;
/** After a fetch, unknown key ids cause no other one for this long: tokens must not be a way to flood it. */
const JWKS_COOLDOWN_MS = 30_000;
const JWKS_MAX_AGE_MS = 600_000;
/** Compact form, unpadded, no white space: jose tolerates more, which would let one token have many spellings. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** jose's codes that mean the token, not the keys, is at fault. */
const TOKEN_FAULTS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWT_CLAIM_VALIDATION_FAILED: 'a claim of the token is not acceptable',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature does not verify',
  ERR_JWT_INVALID: 'the token is malformed',
  ERR_JWS_INVALID: 'the token is malformed',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the algorithm is not allowed',
  ERR_JOSE_NOT_SUPPORTED: 'the token uses a feature that is not supported',
  ERR_JWKS_NO_MATCHING_KEY: 'no key matches the token',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'more than one key matches the token',
};

interface Remembered {
  readonly claims: JWTPayload;
  readonly untilMs: number;
}

/** Reads a key file at once, so that an unreadable one fails the (re)load; a key URL is read when needed. */
export async function createTokenVerifier(
  provider: JwtProvider,
  configPath: string,
  clock: Clock,
): Promise<TokenVerifier> {
  const keys = await openKeys(provider, configPath);
  const remembered = new Map<string, Remembered>();
  const options = {
    issuer: provider.issuer,
    audience: provider.audience,
    algorithms: [...provider.algorithms],
    clockTolerance: provider.clockToleranceMs / 1000,
  };

  return {
    recall(token) {
      if (remembered.size === 0) return undefined;
      const key = digest(token);
      const entry = remembered.get(key);
      if (entry === undefined) return undefined;
      remembered.delete(key);
      if (entry.untilMs <= clock.nowMs()) return undefined;
      // Last used, last in order: the first of the map is the one to forget.
      remembered.set(key, entry);
      return entry.claims;
    },
    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) {
        return { kind: 'invalid', reason: 'the token is malformed' };
      }
      const nowMs = clock.nowMs();
      try {
        const { payload } = await jwtVerify(token, keys, { ...options, currentDate: new Date(nowMs) });
        const expiryMs = payload.exp === undefined ? Number.POSITIVE_INFINITY : payload.exp * 1000;
        const oldest = remembered.size >= MAX_CACHED_TOKENS ? remembered.keys().next() : undefined;
        if (oldest?.done === false) remembered.delete(oldest.value);
        const untilMs = Math.min(nowMs + TOKEN_RECHECK_MS, expiryMs + provider.clockToleranceMs);
        remembered.set(digest(token), { claims: payload, untilMs });
        return { kind: 'valid', claims: payload };
      } catch (error) {
        const reason = error instanceof errors.JOSEError ? TOKEN_FAULTS[error.code] : undefined;
        return reason === undefined ? { kind: 'keys-unavailable' } : { kind: 'invalid', reason };
      }
    },
  };
}

/** Tokens are secrets: the memory holds their digests. */
function digest(token: string): string {
  return hash('sha256', token, 'base64');
}

async function openKeys(provider: JwtProvider, configPath: string): Promise<JWTVerifyGetKey> {
  if ('url' in provider.jwks) {
    return createRemoteJWKSet(new URL(provider.jwks.url), {
      timeoutDuration: JWKS_TIMEOUT_MS,
      cooldownDuration: JWKS_COOLDOWN_MS,
      cacheMaxAge: JWKS_MAX_AGE_MS,
    });
  }
  const path = resolve(dirname(configPath), provider.jwks.file);
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!isKeySet(value)) throw new Error(`${path} is not a JSON Web Key Set`);
  return createLocalJWKSet(value);
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
}

/** One verifier for each provider of the configuration. */
export async function openVerifiers(
  config: GatewayConfig,
  clock: Clock,
): Promise<Map<string, TokenVerifier>> {
  const verifiers = new Map<string, TokenVerifier>();
  for (const [name, provider] of Object.entries(config.jwt)) {
    verifiers.set(name, await createTokenVerifier(provider, config.path, clock));
  }
  return verifiers;
}
