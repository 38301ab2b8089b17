/**
 * Knows API keys by their hashes in a file that is read again when it changes. Owns the watch; keys themselves are
 * never kept.
 * @module
 */

import { hash, timingSafeEqual } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import type { JWTPayload } from 'jose';
import { type ApiKeyEntry, loadApiKeyFile } from '../../config/api-key-file.ts';
import { readConfigFile } from '../../config/read-config.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { TokenVerdict, TokenVerifier } from './token-verifier.ts';

const WATCH_EVERY_MS = 1_000;
const MAX_KEY_LENGTH = 512;
/** Hexadecimal digits of a hash by which entries are found; the rest is compared in constant time. */
const BUCKET_DIGITS = 8;

interface KnownKey {
  readonly digest: Buffer;
  readonly expiresMs: number;
  readonly claims: JWTPayload;
}

export class ApiKeys implements TokenVerifier {
  readonly #provider: string;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #keys: ReadonlyMap<string, readonly KnownKey[]>;

  /** Throws when the file cannot be used. `path` is absolute. */
  constructor(provider: string, path: string, clock: Clock, logger: Logger) {
    this.#provider = provider;
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
    this.#keys = this.#read();
    watchFile(path, { interval: WATCH_EVERY_MS, persistent: false }, this.#onChange);
  }

  accepts(key: string): boolean {
    return key.length <= MAX_KEY_LENGTH;
  }

  recall(key: string): JWTPayload | undefined {
    const known = this.#find(key);
    return known === undefined || known.expiresMs <= this.#clock.nowMs() ? undefined : known.claims;
  }

  verify(key: string): Promise<TokenVerdict> {
    const verdict: TokenVerdict =
      this.#find(key) === undefined
        ? { kind: 'invalid', cause: 'unknown_key', reason: 'the API key is not known' }
        : { kind: 'invalid', cause: 'expired', reason: 'the API key has expired' };
    return Promise.resolve(verdict);
  }

  close(): void {
    unwatchFile(this.#path, this.#onChange);
  }

  #find(key: string): KnownKey | undefined {
    const digest = hash('sha256', key, 'buffer');
    const bucket = this.#keys.get(digest.toString('hex', 0, BUCKET_DIGITS / 2));
    return bucket?.find((known) => timingSafeEqual(known.digest, digest));
  }

  readonly #onChange = (): void => {
    try {
      this.#keys = this.#read();
      this.#logger.info({ file: this.#path }, 'API keys are replaced');
    } catch (error) {
      this.#logger.warn({ err: error, file: this.#path }, 'API keys cannot be used; those read before stay');
    }
  };

  #read(): ReadonlyMap<string, readonly KnownKey[]> {
    const read = readConfigFile(this.#path);
    const { value, diagnostics } = read.ok
      ? loadApiKeyFile(read.file)
      : { value: null, diagnostics: [read.diagnostic] };
    if (value === null) {
      // Without the value: somebody may have written a key where its hash belongs.
      const fault = diagnostics[0]?.message.replace(/, got .*$/s, '');
      throw new Error(`${this.#path}: ${fault ?? 'cannot be used'}`);
    }
    const keys = new Map<string, KnownKey[]>();
    for (const entry of value) {
      const bucket = keys.get(entry.sha256.slice(0, BUCKET_DIGITS)) ?? [];
      bucket.push({
        digest: Buffer.from(entry.sha256, 'hex'),
        expiresMs: entry.expires ?? Number.POSITIVE_INFINITY,
        claims: claimsOf(this.#provider, entry),
      });
      keys.set(entry.sha256.slice(0, BUCKET_DIGITS), bucket);
    }
    return keys;
  }
}

/** The subject cannot be that of somebody's token, unless the file says so. */
function claimsOf(provider: string, { name, owner, scopes, claims }: ApiKeyEntry): JWTPayload {
  return {
    iss: `api-keys:${provider}`,
    sub: `key:${name}`,
    key: name,
    ...(owner !== undefined && { owner }),
    scope: (scopes ?? []).join(' '),
    ...claims,
  };
}
