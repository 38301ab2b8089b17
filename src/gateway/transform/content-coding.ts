/**
 * Content codings that the gateway undoes in order to read a body (RFC 9110 §8.4): gzip, br, and deflate in its zlib
 * form. Knows zlib and bytes; how much may come out is said by who asks.
 * @module
 */

import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { bufferOf } from '../kept-buffer.ts';
import { fieldText } from './field-list.ts';
import { UnreadableBody } from './unreadable-body.ts';

export type Coding = 'gzip' | 'br' | 'deflate';

/** For `Accept-Encoding` of a response that refuses another one. */
export const READABLE_CODINGS = 'gzip, br, deflate';

const CODINGS: Readonly<Record<string, Coding | null>> = {
  '': null,
  identity: null,
  gzip: 'gzip',
  'x-gzip': 'gzip',
  br: 'br',
  deflate: 'deflate',
};

/** Null: none. Undefined: one that is not known here, or several on top of each other. */
export function codingOf(fields: readonly string[]): Coding | null | undefined {
  const name = (fieldText(fields, 'content-encoding') ?? '').trim().toLowerCase();
  return Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined;
}

/** Fails on bytes that are none of the coding, and when their end is missing. */
export function openDecoder(coding: Coding): Transform {
  if (coding === 'br') return createBrotliDecompress();
  return coding === 'gzip' ? createGunzip() : createInflate();
}

/**
 * Takes the coding off a body that comes in pieces, holding no more than `maxBytes` of what comes out: a small body
 * that would become a huge one ends there.
 */
export class BodyGatherer {
  readonly #maxBytes: number;
  readonly #decoder: Transform | null;
  readonly #done: (body: Buffer) => void;
  readonly #failed: (trouble: UnreadableBody) => void;
  readonly #kept = new KeptBytes();
  #over = false;

  /** Calls one of `done` and `failed`, once. */
  constructor(
    coding: Coding | null,
    maxBytes: number,
    done: (body: Buffer) => void,
    failed: (trouble: UnreadableBody) => void,
  ) {
    this.#maxBytes = maxBytes;
    this.#done = done;
    this.#failed = failed;
    this.#decoder = coding === null ? null : openDecoder(coding);
    this.#decoder?.on('data', (piece: Buffer) => this.#take(piece));
    this.#decoder?.on('end', () => this.#finish());
    this.#decoder?.on('error', () => this.#fail(new UnreadableBody('malformed', `it is no ${coding}`)));
  }

  /** False: not before `onDrain` has been called. */
  write(piece: Buffer, onDrain: () => void): boolean {
    if (this.#over) return true;
    if (this.#decoder === null) {
      this.#take(piece);
      return true;
    }
    if (this.#decoder.write(piece)) return true;
    this.#decoder.once('drain', onDrain);
    return false;
  }

  end(): void {
    if (this.#over) return;
    if (this.#decoder === null) this.#finish();
    else this.#decoder.end();
  }

  /** Nobody waits for it any more. Idempotent. */
  close(): void {
    this.#over = true;
    this.#kept.clear();
    this.#decoder?.destroy();
  }

  #take(piece: Buffer): void {
    if (this.#over) return;
    this.#kept.add(piece);
    if (this.#kept.length > this.#maxBytes) {
      this.#fail(new UnreadableBody('too-large', `it is larger than ${this.#maxBytes} bytes`));
    }
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(bufferOf(this.#kept.joined()));
    this.#kept.clear();
  }

  #fail(trouble: UnreadableBody): void {
    if (this.#over) return;
    this.close();
    this.#failed(trouble);
  }
}

/** The same for a body that is here; calls back later, never at once. */
export function unpack(
  coding: Coding,
  maxBytes: number,
  body: Buffer,
  done: (plain: Buffer) => void,
  failed: (trouble: UnreadableBody) => void,
): void {
  const gatherer = new BodyGatherer(coding, maxBytes, done, failed);
  gatherer.write(body, () => {});
  gatherer.end();
}
