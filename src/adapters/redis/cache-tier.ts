/**
 * Stored responses over Redis: one hash for each resource, which expires by itself. Knows neither what the values
 * are nor when they are fresh.
 * @module
 */

import { createHash } from 'node:crypto';
import { type CacheTier, TIER_VALUES } from '../../ports/cache-tier.ts';
import type { RedisConnection } from './connection.ts';
import { cachedKey } from './keys.ts';

export function createRedisCacheTier(connection: RedisConnection): CacheTier {
  return {
    get: (resource, key) =>
      connection.call((client) => client.hgetBuffer(cachedKey(digestOf(resource)), digestOf(key))),

    async put(resource, key, value, ttlMs) {
      const args = [digestOf(key), value, Math.ceil(ttlMs), TIER_VALUES];
      await connection.run('put-cached', [cachedKey(digestOf(resource))], args);
    },

    async drop(resource) {
      await connection.call((client) => client.unlink(cachedKey(digestOf(resource))));
    },
  };
}

/** URLs and fields of requests may be of any length. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}
