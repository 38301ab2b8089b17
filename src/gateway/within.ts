/**
 * Waiting with a bound: what hangs must not hang its caller.
 * @module
 */

/** Waits for `work`, at most `timeoutMs` and until `stopping`; rejects when `work` does. */
export function within(
  work: Promise<void> | null,
  timeoutMs: number,
  stopping?: AbortSignal,
): Promise<unknown> {
  if (stopping?.aborted === true) return Promise.resolve();
  let cleanUp = (): void => {};
  const late = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    const stop = (): void => resolve();
    stopping?.addEventListener('abort', stop);
    cleanUp = () => {
      clearTimeout(timer);
      stopping?.removeEventListener('abort', stop);
    };
  });
  return Promise.race([work, late]).finally(cleanUp);
}
