/**
 * Notification cursors in one file, replaced as a whole. A crash may lose the newest save, which means
 * one more delivery of the same event; knows neither notifiers nor events.
 * @module
 */

import { join } from 'node:path';
import type { NotificationCursors } from '../../ports/rollout-store.ts';
import { readFileIfAny, replaceFile, safeName } from './durable-file.ts';
import { createSerialQueue } from './serial-queue.ts';

export async function createEmbeddedCursors(
  dir: string | null,
): Promise<NotificationCursors & { close(): Promise<void> }> {
  const path = dir === null ? null : join(dir, 'cursors.json');
  const text = path === null ? null : await readFileIfAny(path);
  // Written by `save` and replaced as a whole.
  const cursors = new Map(text === null ? [] : Object.entries(JSON.parse(text) as Record<string, number>));
  const queue = createSerialQueue();
  const keyOf = (notifier: string, rollout: string): string => `${safeName(notifier)}/${safeName(rollout)}`;

  return {
    load: async (notifier, rollout) => cursors.get(keyOf(notifier, rollout)) ?? 0,
    save: (notifier, rollout, sequence) =>
      queue.run(async () => {
        const key = keyOf(notifier, rollout);
        const next = new Map(cursors).set(key, sequence);
        if (path !== null) await replaceFile(path, JSON.stringify(Object.fromEntries(next)));
        cursors.set(key, sequence);
      }),
    close: () => queue.close(),
  };
}
