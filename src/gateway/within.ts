/**
 * Waiting with a bound: what hangs must not hang its caller.
 * @module
 */

/** Waits for `work`, at most `timeoutMs`; rejects when `work` does. */
export function within(work: Promise<void> | null, timeoutMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
