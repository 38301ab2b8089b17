/**
 * Runs asynchronous writes one after another, so that a check and the write it allows are one action.
 * Knows nothing of what the writes do.
 * @module
 */

import { SluiceError } from '../../core/domain/errors.ts';

export interface SerialQueue {
  /** Runs `action` after all earlier ones have ended; rejects with `UNAVAILABLE` once closed. */
  run<T>(action: () => Promise<T>): Promise<T>;
  /** Refuses further actions and resolves when those under way have ended. Idempotent. */
  close(): Promise<void>;
}

export function createSerialQueue(): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;
  return {
    run(action) {
      if (closed) {
        return Promise.reject(new SluiceError('UNAVAILABLE', { detail: 'the embedded store is closed' }));
      }
      const result = tail.then(action);
      // A failed action is its caller's to handle; the next one runs all the same.
      tail = result.catch(() => undefined);
      return result;
    },
    async close() {
      closed = true;
      await tail;
    },
  };
}
