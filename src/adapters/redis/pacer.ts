/**
 * The rhythm of a watch: waits between reads, and is woken when there is reason to read at once. Owns its timer;
 * reads nothing itself.
 * @module
 */

export interface Pacer {
  /** Resolves after `ms`, on `wake` (also one since the last wait), or when the signal aborts. */
  wait(ms: number): Promise<void>;
  wake(): void;
}

export function createPacer(signal: AbortSignal): Pacer {
  let woken = false;
  let resume: (() => void) | undefined;
  const wake = (): void => {
    woken = true;
    resume?.();
  };
  signal.addEventListener('abort', wake, { once: true });
  return {
    wake,
    async wait(ms) {
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          resume = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      woken = false;
      resume = undefined;
    },
  };
}
