/**
 * The rollout store in files: one directory per rollout, everything also in memory for reading.
 * Owns the checks of epoch and version; the files themselves are `commit-journal.ts`.
 * @module
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import type { RolloutRecord } from '../../core/rollout/state.ts';
import type { RolloutStore } from '../../ports/rollout-store.ts';
import { type CommitJournal, openCommitJournal } from './commit-journal.ts';
import { makeDirectory, safeName } from './durable-file.ts';
import { createSerialQueue } from './serial-queue.ts';

interface Stored {
  record: RolloutRecord | null;
  readonly events: RolloutEvent[];
  readonly journal: CommitJournal | null;
}

/** `epochOf` is the epoch of the newest lease of a service. `dir` null: memory only. */
export async function createEmbeddedRolloutStore(options: {
  readonly dir: string | null;
  readonly epochOf: (service: string) => number;
}): Promise<RolloutStore & { close(): Promise<void> }> {
  const root = options.dir === null ? null : join(options.dir, 'rollouts');
  const rollouts = new Map<string, Stored>();
  const queue = createSerialQueue();

  async function open(rollout: string): Promise<Stored> {
    const journal = root === null ? null : await openCommitJournal(join(root, safeName(rollout)));
    const record = journal?.recovered.record ?? null;
    const stored: Stored = { record, events: [...(journal?.recovered.events ?? [])], journal };
    rollouts.set(rollout, stored);
    return stored;
  }

  if (root !== null) {
    await makeDirectory(root);
    for (const rollout of await readdir(root)) await open(rollout);
  }

  return {
    load: async (rollout) => rollouts.get(rollout)?.record ?? null,

    async list() {
      const records = [...rollouts.values()].flatMap(({ record }) => (record ? [record] : []));
      return records.sort((a, b) => (a.rollout < b.rollout ? -1 : 1));
    },

    commit: ({ record, events, epoch, afterLoss }) =>
      queue.run(async () => {
        safeName(record.rollout);
        if (epoch < options.epochOf(record.service)) return { ok: false, cause: 'stale-epoch' };
        const known = rollouts.get(record.rollout);
        const stored = known?.record?.version;
        const fits = afterLoss ? stored === undefined : record.version === (stored ?? 0) + 1;
        if (!fits) {
          return { ok: false, cause: 'version-conflict' };
        }
        const entry = known ?? (await open(record.rollout));
        await entry.journal?.write(record, events);
        entry.record = record;
        entry.events.push(...events);
        return { ok: true };
      }),

    async events(rollout, afterSequence, limit) {
      const events = rollouts.get(rollout)?.events ?? [];
      const start = events.findIndex((event) => event.sequence > afterSequence);
      return start < 0 ? [] : events.slice(start, start + Math.max(0, limit));
    },

    close: () => queue.close(),
  };
}
