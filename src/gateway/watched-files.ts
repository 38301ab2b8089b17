/**
 * What was read from a few files that belong together, read again when one of them changes. Files that cannot be
 * used change nothing. Knows not what is in them.
 * @module
 */

import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '../telemetry/logger.ts';

/** Files are looked at this often: polling also sees what a mounted volume swaps underneath. */
const WATCH_EVERY_MS = 1_000;

export interface WatchedFilesOptions<Value> {
  readonly files: readonly string[];
  readonly read: () => Promise<Value>;
  /** What the log calls them, such as `certificates for upstreams`. */
  readonly what: string;
  readonly logger: Logger;
}

export class WatchedFiles<Value> {
  value: Value;
  /** They have changed and cannot be used. */
  stale = false;
  /** Called after each new reading. */
  readonly listeners = new Set<() => void>();
  readonly #options: WatchedFilesOptions<Value>;
  #reading: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  /** Rejects when the files cannot be used. */
  static async open<Value>(options: WatchedFilesOptions<Value>): Promise<WatchedFiles<Value>> {
    return new WatchedFiles(options, await options.read());
  }

  private constructor(options: WatchedFilesOptions<Value>, value: Value) {
    this.#options = options;
    this.value = value;
    for (const path of options.files) {
      watchFile(path, { interval: WATCH_EVERY_MS, persistent: false }, this.#onChange);
    }
  }

  /** Reads them again now. Never rejects. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  stop(): void {
    this.#stopped = true;
    for (const path of this.#options.files) unwatchFile(path, this.#onChange);
    this.listeners.clear();
  }

  readonly #onChange = (): void => void this.refresh();

  /** Certificate and key are seldom replaced at once: a mismatch in between is read over by the next change. */
  async #read(): Promise<void> {
    const { files, read, what, logger } = this.#options;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        const value = await read();
        if (this.#stopped) break;
        this.value = value;
        this.stale = false;
        logger.info({ files }, `${what} are replaced`);
        for (const listener of this.listeners) listener();
      } catch (error) {
        this.stale = true;
        logger.warn({ err: error, files }, `${what} cannot be used; those read before stay`);
      }
    }
  }
}
