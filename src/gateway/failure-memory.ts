/**
 * Who has failed lately: repeated failures of one sticky key are one cause, not several, and count once in a while.
 * Knows keys and times; knows no requests.
 * @module
 */

const APART_MS = 30_000;
/** With more keys failing at once, it is no cluster of few: all count. */
const MAX_KEYS = 20_000;

export class FailureMemory {
  /** By key: when its last failure counted; in that order. */
  readonly #countedAtMs = new Map<string, number>();

  /** Whether a failure of `key` counts apart from the ones before. */
  isDistinct(key: string, nowMs: number): boolean {
    const countedAtMs = this.#countedAtMs.get(key);
    if (countedAtMs !== undefined && nowMs - countedAtMs < APART_MS) return false;
    this.#forget(nowMs);
    if (this.#countedAtMs.size >= MAX_KEYS) return true;
    this.#countedAtMs.delete(key);
    this.#countedAtMs.set(key, nowMs);
    return true;
  }

  #forget(nowMs: number): void {
    for (const [key, countedAtMs] of this.#countedAtMs) {
      if (nowMs - countedAtMs < APART_MS) return;
      this.#countedAtMs.delete(key);
    }
  }
}
