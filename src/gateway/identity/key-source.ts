/**
 * The keys of one issuer by URL: fetched when needed, renewed in the background, kept for a while when the issuer is
 * down. Owns one key set; knows no tokens.
 * @module
 */

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { keyFault, type UncheckedKey } from '../../core/policy/jwk-vetting.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import {
  JWKS_COOLDOWN_MS,
  JWKS_FRESH_MS,
  JWKS_RETRY_MS,
  JWKS_STALE_MS,
  JWKS_TIMEOUT_MS,
  MAX_JWKS_BYTES,
  MAX_JWKS_KEYS,
} from '../limits.ts';
import type { ProviderHealth } from './auth-metrics.ts';
import type { AskJson } from './bounded-fetch.ts';

/** Rejects a set that cannot be used at all; leaves out keys that must not be. */
export function vettedKeySet(value: unknown, logger: Logger, place: string): JSONWebKeySet {
  if (!isKeySet(value)) throw new Error(`${place} is not a JSON Web Key Set`);
  if (value.keys.length > MAX_JWKS_KEYS) throw new Error(`${place} has more than ${MAX_JWKS_KEYS} keys`);
  const keys = value.keys.filter((key) => {
    const fault = typeof key === 'object' && key !== null ? keyFault(key) : 'it is not an object';
    if (fault !== null) logger.warn({ keys: place, kid: kidOf(key) }, `a key is not used: ${fault}`);
    return fault === null;
  });
  if (keys.length === 0) throw new Error(`${place} has no key that may verify tokens`);
  return { keys: keys as JSONWebKeySet['keys'] }; // Vetted as far as types can say.
}

function isKeySet(value: unknown): value is { readonly keys: readonly UncheckedKey[] } {
  return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
}

function kidOf(key: UncheckedKey): string {
  return typeof key?.kid === 'string' ? key.kid.slice(0, 64) : '';
}

/** The keys could not be read: says nothing about the token. */
export class KeysUnavailable extends Error {}

export interface KeySourceOptions {
  readonly url: string;
  readonly ask: AskJson;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: ProviderHealth;
}

export class KeySource {
  readonly #options: KeySourceOptions;
  #find: JWTVerifyGetKey | null = null;
  /** When the keys in use were fetched, epoch milliseconds. */
  #fetchedMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #failed = false;
  #fetching: Promise<void> | null = null;

  constructor(options: KeySourceOptions) {
    this.#options = options;
  }

  /** jose's way of asking for a key. Never looks at `jku`, `x5u` or `jwk` of the token. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const nowMs = this.#options.clock.nowMs();
    const ageMs = nowMs - this.#fetchedMs;
    if (this.#find === null || !(ageMs <= JWKS_FRESH_MS + JWKS_STALE_MS))
      await this.#renew(nowMs, JWKS_RETRY_MS);
    // Old keys are good enough while new ones are on their way.
    else if (ageMs > JWKS_FRESH_MS || ageMs < 0) void this.#renew(nowMs, JWKS_RETRY_MS);
    const find = this.#usable(nowMs);
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#renew(nowMs, JWKS_COOLDOWN_MS);
      // The issuer may have a new key that nobody can see now.
      if (this.#failed) throw new KeysUnavailable();
      const renewed = this.#usable(nowMs);
      if (renewed === find) throw error;
      return renewed(header, token);
    }
  };

  #usable(nowMs: number): JWTVerifyGetKey {
    if (this.#find === null || nowMs - this.#fetchedMs > JWKS_FRESH_MS + JWKS_STALE_MS) {
      throw new KeysUnavailable();
    }
    if (this.#failed && nowMs - this.#fetchedMs > JWKS_FRESH_MS) this.#options.health.staleUses += 1;
    return this.#find;
  }

  /** One fetch at a time, none sooner after the last than `pauseMs`: tokens must not be a way to flood an issuer. */
  #renew(nowMs: number, pauseMs: number): Promise<void> {
    if (this.#fetching !== null) return this.#fetching;
    const sinceMs = nowMs - this.#triedMs;
    const pause = this.#failed ? JWKS_RETRY_MS : pauseMs;
    if (sinceMs >= 0 && sinceMs < pause) return Promise.resolve();
    this.#triedMs = nowMs;
    const fetching = this.#fetch(nowMs).finally(() => {
      this.#fetching = null;
    });
    this.#fetching = fetching;
    return fetching;
  }

  async #fetch(nowMs: number): Promise<void> {
    const { url, ask, logger, health } = this.#options;
    try {
      const value = await ask({
        url,
        method: 'GET',
        headers: {},
        body: null,
        timeoutMs: JWKS_TIMEOUT_MS,
        maxBytes: MAX_JWKS_BYTES,
      });
      this.#find = createLocalJWKSet(vettedKeySet(value, logger, url));
      this.#fetchedMs = nowMs;
      if (this.#failed) logger.info({ keys: url }, 'the keys of tokens can be read again');
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      health.failures += 1;
      const then = this.#find === null ? 'there are none to go on with' : 'the last good ones stay in use';
      logger.warn({ err: error, keys: url }, `the keys of tokens cannot be read: ${then}`);
    }
    health.down = this.#failed;
  }
}
