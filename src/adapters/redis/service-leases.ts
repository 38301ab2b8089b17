/**
 * Leases over Redis: they expire by Redis's own clock, and epochs outlive them.
 * Knows nothing of operators.
 * @module
 */

import type { ServiceLeases } from '../../ports/rollout-store.ts';
import type { RedisConnection } from './connection.ts';
import { CONTROL_KEYS, leaseKey } from './keys.ts';

export function createRedisLeases(connection: RedisConnection): ServiceLeases {
  return {
    async acquire(service, holder, contact, ttlMs) {
      const keys = [leaseKey(service), CONTROL_KEYS.epochs];
      // The reply of `acquire-lease.lua`.
      const reply = (await connection.run('acquire-lease', keys, [service, holder, contact, ttlMs])) as
        | ['ok', number]
        | ['held', string, string];
      if (reply[0] === 'ok') return { ok: true, grant: { epoch: reply[1] } };
      return { ok: false, holder: reply[1], contact: reply[2] };
    },

    async release(service, holder) {
      await connection.run('release-lease', [leaseKey(service)], [holder]);
    },
  };
}
