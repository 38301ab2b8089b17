/**
 * Waiting for a condition with a deadline, so that no test depends on a sleep being long enough.
 * @module
 */

/** Resolves when `condition` holds; rejects after `timeoutMs` with the last error, if there was one. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  let lastError: unknown;
  while (performance.now() < deadlineMs) {
    try {
      if (await condition()) return;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw lastError ?? new Error(`did not come true within ${timeoutMs} ms: ${condition.toString()}`);
}
