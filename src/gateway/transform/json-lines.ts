/**
 * Reshapes newline-delimited JSON line by line as it passes. Knows bytes; what is made of a line is decided by who
 * asks.
 * @module
 */

import { Transform, type TransformCallback } from 'node:stream';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { bufferOf } from '../kept-buffer.ts';
import { UnreadableBody } from './unreadable-body.ts';

export interface LineLimits {
  /** Of one line. */
  readonly maxBytes: number;
  /** A line that cannot be reshaped ends the stream; else it passes as it is. */
  readonly refuses: boolean;
}

const NEWLINE = 0x0a;

/** Reshapes each line on its own; what is in memory is one line. Fails with UnreadableBody. */
export class JsonLines extends Transform {
  readonly #map: (line: Buffer) => Buffer | undefined;
  readonly #limits: LineLimits;
  readonly #kept = new KeptBytes();
  /** Lines that have ended. */
  #lines = 0;
  /** The line is too long and passes as it is, up to its end. */
  #passing = false;

  /** `map`: undefined when the line is no JSON. */
  constructor(map: (line: Buffer) => Buffer | undefined, limits: LineLimits) {
    super();
    this.#map = map;
    this.#limits = limits;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      let start = 0;
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        this.#take(piece.subarray(start, end));
        this.#finishLine();
        this.push('\n');
        this.#lines += 1;
        start = end + 1;
      }
      this.#take(piece.subarray(start));
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#finishLine();
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  #take(part: Buffer): void {
    if (part.length === 0) return;
    if (this.#passing) {
      this.push(part);
      return;
    }
    this.#kept.add(part);
    if (this.#kept.length <= this.#limits.maxBytes) return;
    if (this.#limits.refuses) {
      const { maxBytes } = this.#limits;
      throw new UnreadableBody('too-large', `line ${this.#lines + 1} is longer than ${maxBytes} bytes`);
    }
    this.push(bufferOf(this.#kept.joined()));
    this.#passing = true;
  }

  #finishLine(): void {
    const line = this.#passing ? Buffer.alloc(0) : bufferOf(this.#kept.joined());
    this.#kept.clear();
    this.#passing = false;
    // Empty lines part records, as some senders keep a connection alive with them.
    if (line.length === 0 || (line.length === 1 && line[0] === 0x0d)) {
      this.push(line);
      return;
    }
    const mapped = this.#map(line);
    if (mapped === undefined && this.#limits.refuses)
      throw new UnreadableBody('malformed', `line ${this.#lines + 1} is no JSON`);
    this.push(mapped ?? line);
  }
}
