/**
 * The weight channel inside one process: documents in memory, and on disk when there is a directory, so that
 * weights survive a restart. Knows neither who writes nor what gateways do with a document.
 * @module
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Acknowledgement, SplitDocument } from '../../core/domain/split-document.ts';
import { supersedes } from '../../core/domain/split-document.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SplitOrigin, WeightChannel, WeightListener, WriteResult } from '../../ports/weight-channel.ts';
import { makeDirectory, readFileIfAny, replaceFile, safeName } from './durable-file.ts';
import { createSerialQueue } from './serial-queue.ts';

/** A gateway not heard of for this long is no longer listed. */
const ACKNOWLEDGEMENT_TTL_MS = 60_000;

interface Watcher {
  readonly services: ReadonlySet<string>;
  readonly listener: WeightListener;
  readonly seen: Map<string, SplitDocument>;
}

interface Heard {
  readonly acknowledgement: Acknowledgement;
  readonly atMs: number;
}

/** Loads the stored documents of `dir` (null: memory only). The directory must be locked by the caller. */
export async function createEmbeddedWeightChannel(options: {
  readonly dir: string | null;
  readonly clock: Clock;
}): Promise<WeightChannel & { close(): Promise<void> }> {
  const { clock } = options;
  const splitsDir = options.dir === null ? null : join(options.dir, 'splits');
  const splits = splitsDir === null ? new Map<string, SplitDocument>() : await loadSplits(splitsDir);
  const watchers = new Set<Watcher>();
  const heard = new Map<string, Map<string, Heard>>();
  const queue = createSerialQueue();

  return {
    read: (service) => Promise.resolve(splits.get(service) ?? null),

    write: (split) =>
      queue.run(async () => {
        safeName(split.service);
        const current = splits.get(split.service) ?? null;
        const refused = refuseWrite(split, current);
        if (refused) return refused;
        if (splitsDir !== null) {
          await replaceFile(join(splitsDir, `${split.service}.json`), JSON.stringify(split));
        }
        splits.set(split.service, split);
        for (const watcher of watchers) deliver(watcher, split, 'published');
        return { ok: true };
      }),

    renew: (service, revision, epoch) =>
      queue.run(async () => {
        const current = splits.get(service) ?? null;
        if (current && epoch < current.epoch) return { ok: false, cause: 'stale-epoch', current };
        if (current?.revision !== revision || current.epoch !== epoch) {
          return { ok: false, cause: 'revision-conflict', current };
        }
        for (const { services, listener } of watchers) {
          if (services.has(service)) listener.onRenewal(service, revision);
        }
        return { ok: true };
      }),

    watch(services, listener, signal) {
      if (signal.aborted) return Promise.resolve();
      const watcher: Watcher = { services: new Set(services), listener, seen: new Map() };
      watchers.add(watcher);
      signal.addEventListener('abort', () => watchers.delete(watcher), { once: true });
      listener.onConnection(true);
      for (const service of watcher.services) {
        const split = splits.get(service);
        if (split) deliver(watcher, split, 'stored');
      }
      return Promise.resolve();
    },

    acknowledge(acknowledgement) {
      const byGateway = heard.get(acknowledgement.service) ?? new Map<string, Heard>();
      heard.set(acknowledgement.service, byGateway);
      byGateway.set(acknowledgement.gateway, { acknowledgement, atMs: clock.nowMs() });
      dropSilent(byGateway, clock.nowMs());
      return Promise.resolve();
    },

    acknowledgements(service) {
      const nowMs = clock.nowMs();
      const byGateway = heard.get(service) ?? new Map<string, Heard>();
      dropSilent(byGateway, nowMs);
      const live = [...byGateway.values()].map(({ acknowledgement, atMs }) => ({
        ...acknowledgement,
        ageMs: Math.max(0, nowMs - atMs),
      }));
      return Promise.resolve(live.sort((a, b) => (a.gateway < b.gateway ? -1 : 1)));
    },

    async close() {
      watchers.clear();
      await queue.close();
    },
  };
}

function refuseWrite(split: SplitDocument, current: SplitDocument | null): WriteResult | undefined {
  if (current === null) {
    return split.revision >= 1 ? undefined : { ok: false, cause: 'revision-conflict', current };
  }
  if (split.epoch < current.epoch) return { ok: false, cause: 'stale-epoch', current };
  if (split.revision !== current.revision + 1) return { ok: false, cause: 'revision-conflict', current };
  return undefined;
}

function deliver(watcher: Watcher, split: SplitDocument, origin: SplitOrigin): void {
  const { services, seen, listener } = watcher;
  if (!services.has(split.service) || !supersedes(split, seen.get(split.service))) return;
  seen.set(split.service, split);
  listener.onSplit(split, origin);
}

function dropSilent(byGateway: Map<string, Heard>, nowMs: number): void {
  for (const [gateway, { atMs }] of byGateway) {
    if (nowMs - atMs > ACKNOWLEDGEMENT_TTL_MS) byGateway.delete(gateway);
  }
}

async function loadSplits(splitsDir: string): Promise<Map<string, SplitDocument>> {
  await makeDirectory(splitsDir);
  const splits = new Map<string, SplitDocument>();
  for (const file of await readdir(splitsDir)) {
    if (!file.endsWith('.json')) continue;
    const text = await readFileIfAny(join(splitsDir, file));
    if (text === null) continue;
    // Written by `write` and replaced as a whole, so it has the shape that `write` was given.
    const split = JSON.parse(text) as SplitDocument;
    splits.set(split.service, split);
  }
  return splits;
}
