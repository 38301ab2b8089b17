/**
 * The access log: one JSON line per request, collected in memory and written in batches. A slow disk costs log
 * lines (counted), never requests. Owns the file; knows not what is in a line.
 * @module
 */

import { closeSync, openSync, write } from 'node:fs';
import type { GatewayConfig } from '../config/gateway-model.ts';
import { MAX_LOG_BACKLOG } from './limits.ts';

const FLUSH_MS = 200;
const FLUSH_LENGTH = 32_768;
/** A pipe that is full asks to be tried again. */
const RETRY_MS = 20;
const STDOUT = 1;

export interface AccessLog {
  /** False: lines need not be made at all. */
  readonly enabled: boolean;
  /** Lines that were dropped because the destination was too slow or failed. */
  readonly dropped: number;
  /** Lines on disk, or handed to it. */
  readonly written: number;
  /** Requests that the sampling left out; counted by whoever decides that. */
  sampledOut: number;
  /** One line with its newline. */
  write(line: string): void;
  /** Writes what is left, within `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** Opens the destination; throws when the file cannot be opened for appending. */
export function openAccessLog(destination: GatewayConfig['accessLog']): AccessLog {
  switch (destination.kind) {
    case 'off':
      return {
        enabled: false,
        dropped: 0,
        written: 0,
        sampledOut: 0,
        write: () => {},
        close: () => Promise.resolve(),
      };
    case 'stdout':
      return new FileLog(STDOUT, false);
    case 'file':
      return new FileLog(openSync(destination.path, 'a'), true);
  }
}

class FileLog implements AccessLog {
  readonly enabled = true;
  dropped = 0;
  written = 0;
  sampledOut = 0;
  readonly #fd: number;
  readonly #owned: boolean;
  #text = '';
  #lines = 0;
  #writing = false;
  #timer: NodeJS.Timeout | null = null;
  #onIdle: (() => void) | null = null;
  #closed = false;

  constructor(fd: number, owned: boolean) {
    this.#fd = fd;
    this.#owned = owned;
  }

  write(line: string): void {
    if (this.#closed || this.#text.length > MAX_LOG_BACKLOG) {
      this.dropped += 1;
      return;
    }
    this.#text += line;
    this.#lines += 1;
    if (this.#text.length >= FLUSH_LENGTH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  async close(timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const timeout = setTimeout(() => this.#onIdle?.(), timeoutMs);
    this.#flush();
    await idle;
    clearTimeout(timeout);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#owned && !this.#writing) closeSync(this.#fd);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing) return;
    if (this.#text === '') {
      this.#onIdle?.();
      return;
    }
    const bytes = Buffer.from(this.#text);
    const lines = this.#lines;
    this.#text = '';
    this.#lines = 0;
    this.#writing = true;
    this.#writeAll(bytes, lines);
  }

  #writeAll(bytes: Buffer, lines: number): void {
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeAll(bytes, lines), RETRY_MS).unref();
        return;
      }
      if (error !== null) this.dropped += lines;
      else if (written < bytes.length) {
        this.#writeAll(bytes.subarray(written), lines);
        return;
      } else this.written += lines;
      this.#writing = false;
      if (this.#text.length >= FLUSH_LENGTH || this.#closed) this.#flush();
    });
  }
}
