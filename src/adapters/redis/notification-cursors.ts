/**
 * Notification cursors over Redis: one hash.
 * Knows neither notifiers nor events.
 * @module
 */

import type { NotificationCursors } from '../../ports/rollout-store.ts';
import type { RedisConnection } from './connection.ts';
import { CONTROL_KEYS } from './keys.ts';

export function createRedisCursors(connection: RedisConnection): NotificationCursors {
  const { cursors } = CONTROL_KEYS;
  return {
    async load(notifier, rollout) {
      return Number((await connection.call((client) => client.hget(cursors, `${notifier}/${rollout}`))) ?? 0);
    },
    async save(notifier, rollout, sequence) {
      await connection.call((client) => client.hset(cursors, `${notifier}/${rollout}`, sequence));
    },
  };
}
