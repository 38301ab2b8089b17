/**
 * The rollout store over Redis: a commit is one script, so record, version and events change together.
 * As durable as Redis is configured to be: `appendonly yes` with `appendfsync always` loses nothing.
 * @module
 */

import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import type { RolloutRecord } from '../../core/rollout/state.ts';
import type { CommitResult, RolloutStore } from '../../ports/rollout-store.ts';
import type { RedisConnection } from './connection.ts';
import { CONTROL_KEYS, eventsKey } from './keys.ts';

export function createRedisRolloutStore(connection: RedisConnection): RolloutStore {
  const { epochs, versions, records } = CONTROL_KEYS;
  return {
    async load(rollout) {
      const record = await connection.call((client) => client.hget(records, rollout));
      return record === null ? null : parseRecord(record);
    },

    async list() {
      const stored = await connection.call((client) => client.hvals(records));
      return stored.map(parseRecord).sort((a, b) => (a.rollout < b.rollout ? -1 : 1));
    },

    async commit({ record, events, epoch, afterLoss }) {
      const { rollout, service, version } = record;
      const keys = [epochs, versions, records, eventsKey(rollout)];
      const mode = afterLoss ? 'after-loss' : 'next';
      const args = [service, epoch, rollout, version, JSON.stringify(record), mode];
      const log = events.flatMap((event) => [event.sequence, JSON.stringify(event)]);
      return commitResult(await connection.run('commit-rollout', keys, [...args, ...log]));
    },

    async events(rollout, afterSequence, limit) {
      const key = eventsKey(rollout);
      const stored = await connection.call((client) =>
        client.zrangebyscore(key, `(${afterSequence}`, '+inf', 'LIMIT', 0, Math.max(0, limit)),
      );
      // Written by `commit` with the events that it was given.
      return stored.map((event) => JSON.parse(event) as RolloutEvent);
    },
  };
}

function parseRecord(text: string): RolloutRecord {
  // Written by `commit` with the record that it was given.
  return JSON.parse(text) as RolloutRecord;
}

function commitResult(reply: unknown): CommitResult {
  if (reply === 'ok') return { ok: true };
  if (reply === 'stale-epoch' || reply === 'version-conflict') return { ok: false, cause: reply };
  throw new Error(`unexpected reply of commit-rollout: ${String(reply)}`);
}
