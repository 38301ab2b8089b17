/**
 * Leases inside one process: holders in memory, epochs on disk so that they grow across restarts.
 * Knows nothing of operators; the directory lock keeps other processes out.
 * @module
 */

import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { ServiceLeases } from '../../ports/rollout-store.ts';
import { readFileIfAny, replaceFile, safeName } from './durable-file.ts';
import { createSerialQueue } from './serial-queue.ts';

interface Lease {
  readonly holder: string;
  readonly contact: string;
  readonly epoch: number;
  readonly expiresAtMs: number;
}

export interface EmbeddedLeases extends ServiceLeases {
  /** Epoch of the newest lease of a service; 0 when there was none. */
  epochOf(service: string): number;
  close(): Promise<void>;
}

/** A holder of an earlier process is gone with it: only its epochs are loaded, and a new lease has a higher one. */
export async function createEmbeddedLeases(options: {
  readonly dir: string | null;
  readonly clock: Clock;
}): Promise<EmbeddedLeases> {
  const { clock } = options;
  const path = options.dir === null ? null : join(options.dir, 'epochs.json');
  const epochs = new Map<string, number>(path === null ? [] : await loadEpochs(path));
  const leases = new Map<string, Lease>();
  const queue = createSerialQueue();

  return {
    acquire: (service, holder, contact, ttlMs) =>
      queue.run(async () => {
        safeName(service);
        const nowMs = clock.nowMs();
        const lease = leases.get(service);
        const live = lease && lease.expiresAtMs > nowMs ? lease : undefined;
        if (live && live.holder !== holder) return { ok: false, holder: live.holder, contact: live.contact };
        const epoch = live ? live.epoch : nextEpoch(epochs.get(service) ?? 0, nowMs);
        if (!live) {
          const next = new Map(epochs).set(service, epoch);
          if (path !== null) await replaceFile(path, JSON.stringify(Object.fromEntries(next)));
          epochs.set(service, epoch);
        }
        leases.set(service, { holder, contact, epoch, expiresAtMs: nowMs + ttlMs });
        return { ok: true, grant: { epoch } };
      }),

    release: (service, holder) =>
      queue.run(async () => {
        if (leases.get(service)?.holder === holder) leases.delete(service);
      }),

    epochOf: (service) => epochs.get(service) ?? 0,
    close: () => queue.close(),
  };
}

/** At least the time in seconds, so that epochs grow even when the directory was lost. */
function nextEpoch(stored: number, nowMs: number): number {
  return Math.max(stored + 1, Math.floor(nowMs / 1000));
}

async function loadEpochs(path: string): Promise<[string, number][]> {
  const text = await readFileIfAny(path);
  // Written by `acquire` and replaced as a whole.
  return text === null ? [] : Object.entries(JSON.parse(text) as Record<string, number>);
}
