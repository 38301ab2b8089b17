/**
 * The body of a request on its way to one attempt after another: counts it, bounds it, keeps what may have to be
 * sent again. Knows the client's stream; knows not who reads.
 * @module
 */

import { KeptBytes, SMALL_PIECE_BYTES } from '../../core/policy/kept-bytes.ts';
import type { BodySource } from '../client.ts';
import { bufferOf } from '../kept-buffer.ts';
import type { UnreadableBody } from '../transform/unreadable-body.ts';

/** Bytes that wait for the upstream before the client is told to wait. */
const HIGH_WATER_BYTES = 131_072;

/** `aborted`: the client broke off. `unreadable`: it cannot be brought into the form that the upstream gets. */
export type BodyFailure = 'too-large' | 'too-slow' | 'aborted' | 'unreadable';

/** What a reader gets after which another began, or none: it has not seen the end. */
export const READER_LEFT = new Error('the request body is read by nobody or somebody else');

export interface RequestBodyOptions {
  readonly source: BodySource;
  /** Bytes; more is a failure. */
  readonly limit: number;
  /** Bodies up to this many bytes can be read again from the start. */
  readonly replayLimit: number;
  readonly coarseNowMs: () => number;
  /** Called at most once. */
  readonly onFailure: (failure: BodyFailure) => void;
}

export class RequestBody {
  readonly #options: RequestBodyOptions;
  /** What was received and may still be needed; all of it while `replayable`. */
  readonly #kept = new KeptBytes();
  /** Where the current reader is: a part, and what it has read of that. */
  #part = 0;
  #offset = 0;
  #reader = 0;
  #unreadBytes = 0;
  #wake: (() => void) | null = null;
  #started = false;
  /** Somebody waits for all of it: there is nobody to wait for. */
  #collecting = false;
  #discarding = false;
  received = 0;
  replayable = true;
  ended = false;
  failure: BodyFailure | null = null;
  /** Of `unreadable`. */
  trouble: UnreadableBody | null = null;
  /** When the last piece or the end came, by the coarse clock. */
  progressMs: number;

  constructor(options: RequestBodyOptions) {
    this.#options = options;
    this.progressMs = options.coarseNowMs();
  }

  /** Calls back with the whole body once it is there; never when it fails. */
  collect(done: (body: Buffer) => void): void {
    this.#collecting = true;
    this.#start();
    const waitForMore = (): void => {
      if (this.failure !== null) return;
      if (this.ended) done(bufferOf(this.#kept.joined()));
      else this.#wake = waitForMore;
    };
    waitForMore();
  }

  /** All waiting pieces are read: the client, not the upstream, is who the transfer waits for. */
  get waitsForClient(): boolean {
    return !this.ended && this.#unread() === undefined;
  }

  /** The client has not sent all of it, though what it sent was taken; also true after it broke off or sent nonsense. */
  get lacksPieces(): boolean {
    if (this.trouble !== null) return true;
    return !this.ended && this.#unreadBytes < HIGH_WATER_BYTES;
  }

  /**
   * Reads from the start; an earlier reader is left. Only while nothing was read or `replayable` holds. Throws when the
   * body fails, and READER_LEFT.
   */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#reader += 1;
    const reader = this.#reader;
    this.#part = 0;
    this.#offset = 0;
    this.#wakeReader();
    this.#start();
    while (reader === this.#reader) {
      if (this.#mayGrow()) {
        // Node lets us run after each chunk that it parses: each byte would be a write and a packet of its own. So the rest
        // of what has been read from the client is waited for, which is no longer than this turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        if (reader !== this.#reader) break;
      }
      const piece = this.#unread();
      if (piece !== undefined) {
        this.#consume(piece);
        yield piece;
      } else if (this.failure !== null) {
        throw new Error(`request body: ${this.failure}`);
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    throw READER_LEFT;
  }

  /** What the reader gets next: the last part may have grown since it was read. */
  #unread(): Uint8Array | undefined {
    const { parts } = this.#kept;
    if (this.#offset > 0 && this.#offset === parts[this.#part]?.length) {
      if (this.#part + 1 === parts.length) return undefined;
      this.#part += 1;
      this.#offset = 0;
    }
    const part = parts[this.#part];
    return this.#offset === 0 ? part : part?.subarray(this.#offset);
  }

  /** What the reader gets next is small, and what comes now will be put to it. */
  #mayGrow(): boolean {
    const piece = this.#unread();
    const last = this.#part + 1 === this.#kept.parts.length;
    return piece !== undefined && last && piece.length < SMALL_PIECE_BYTES && !this.ended;
  }

  #consume(piece: Uint8Array): void {
    this.#offset += piece.length;
    if (!this.replayable) this.#forgetRead();
    this.#unreadBytes = Math.max(0, this.#unreadBytes - piece.length);
    if (this.#unreadBytes < HIGH_WATER_BYTES && this.#options.source.isPaused())
      this.#options.source.resume();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    const { source } = this.#options;
    source.on('data', (piece: Buffer) => this.#onPiece(piece));
    source.on('end', () => {
      this.ended = true;
      this.#progress();
    });
    source.on('error', () => {
      if (!this.#discarding) this.fail('aborted');
    });
    source.on('close', () => {
      if (!this.ended && !this.#discarding) this.fail('aborted');
    });
  }

  #onPiece(piece: Buffer): void {
    if (this.failure !== null) return;
    this.received += piece.length;
    if (this.received > this.#options.limit) {
      if (this.#discarding) this.#options.source.destroy();
      else this.fail('too-large');
      return;
    }
    if (this.#discarding) return;
    if (this.replayable && this.received > this.#options.replayLimit) {
      this.replayable = false;
      this.#forgetRead();
    }
    this.#kept.add(piece);
    this.#unreadBytes += piece.length;
    if (this.#unreadBytes >= HIGH_WATER_BYTES && !this.#collecting) this.#options.source.pause();
    this.#progress();
  }

  #forgetRead(): void {
    for (; this.#part > 0; this.#part -= 1) this.#kept.shift();
    if (this.#offset === 0 || this.#offset !== this.#kept.parts[0]?.length) return;
    this.#kept.shift();
    this.#offset = 0;
  }

  fail(failure: BodyFailure): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.#kept.clear();
    this.#options.onFailure(failure);
    this.#progress();
  }

  /** A reader cannot make of it what the upstream should get. */
  unreadable(trouble: UnreadableBody): void {
    if (this.failure !== null || this.#discarding) return;
    this.trouble = trouble;
    this.fail('unreadable');
  }

  /** The client sends slower than it may. */
  tooSlow(): void {
    if (this.#discarding) this.#options.source.destroy();
    else this.fail('too-slow');
  }

  /** Nobody reads any more; the rest is taken off the connection, up to the limit. */
  discard(): void {
    if (this.ended || this.failure !== null) return;
    this.#discarding = true;
    this.#reader += 1;
    this.#kept.clear();
    this.#wakeReader();
    this.#options.source.resume();
  }

  #progress(): void {
    this.progressMs = this.#options.coarseNowMs();
    this.#wakeReader();
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
