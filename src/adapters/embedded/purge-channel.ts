/**
 * The purge channel inside one process. Remembers the newest purges in memory only: stored responses do not outlive
 * the process either.
 * @module
 */

import { SluiceError } from '../../core/domain/errors.ts';
import { type NumberedPurge, PURGES_KEPT, type Purge } from '../../core/policy/cache/purge.ts';
import type { PurgeChannel, PurgeListener } from '../../ports/purge-channel.ts';

export function createEmbeddedPurgeChannel(): PurgeChannel & { close(): void } {
  const listeners = new Set<PurgeListener>();
  const purges: NumberedPurge[] = [];
  let sequence = 0;
  let closed = false;
  const deliver = (purge: Purge): void => {
    sequence += 1;
    const numbered = { ...purge, sequence };
    purges.push(numbered);
    if (purges.length > PURGES_KEPT) purges.shift();
    for (const listener of listeners) listener.onPurge(numbered);
  };
  const refuse = (): Promise<never> =>
    Promise.reject(new SluiceError('UNAVAILABLE', { detail: 'the backend is closed' }));
  return {
    publish(purge) {
      if (closed) return refuse();
      deliver(purge);
      return Promise.resolve({ sequence, reached: { gateways: listeners.size, applied: listeners.size } });
    },

    announce(given) {
      if (closed) return refuse();
      for (const purge of given) deliver(purge);
      return Promise.resolve();
    },

    watch(_gateway, listener, signal) {
      if (signal.aborted || closed) return Promise.resolve();
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
      listener.onHistory({ generation: 'process', sequence, purges: [...purges] });
      return Promise.resolve();
    },

    close() {
      closed = true;
      listeners.clear();
    },
  };
}
