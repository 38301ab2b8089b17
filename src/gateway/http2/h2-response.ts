/**
 * The response on one HTTP/2 stream, with the meaning that Node's HTTP/1.1 response has for the stages. Knows the
 * stream and what HTTP/2 has no place for.
 * @module
 */

import { EventEmitter } from 'node:events';
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { ClientResponse } from '../client.ts';
import type { Exchange } from '../exchange.ts';
import type { HeldSocket } from '../upgrade/upgrade-model.ts';
import { WaitingClient } from '../upgrade/waiting-client.ts';
import { answerConnect, type ExtendedConnect } from './h2-connect.ts';

/** Of one HTTP/1.1 connection (RFC 9113 §8.2.2). */
const NOT_SENT = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

const NOTHING = Buffer.alloc(0);

export class H2Response extends EventEmitter implements ClientResponse {
  exchange: Exchange | null = null;
  readonly upgrade: HeldSocket | null;
  readonly #connect: ExtendedConnect | null;
  readonly #stream: ServerHttp2Stream;
  readonly socket: Socket;
  /** Means nothing here: a connection is ended by a GOAWAY. */
  shouldKeepAlive = true;
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  #head: OutgoingHttpHeaders | null = null;
  #trailers: OutgoingHttpHeaders = {};
  readonly #toHead: boolean;
  #bodyless = false;
  #waitsForTrailers = false;

  constructor(
    stream: ServerHttp2Stream,
    socket: Socket,
    toHead: boolean,
    connect: ExtendedConnect | null = null,
  ) {
    super();
    this.#connect = connect;
    // Broken off is what a reset of the connection is to HTTP/1.1 (RFC 8441 §5).
    const reset = (): void => this.#cut(constants.NGHTTP2_CANCEL);
    this.upgrade = connect === null ? null : new WaitingClient(stream, NOTHING, reset);
    this.#toHead = toHead;
    this.#stream = stream;
    this.socket = socket;
    stream.on('drain', () => this.emit('drain'));
    stream.on('error', () => {});
    stream.on('wantTrailers', () => {
      this.#guarded(() => stream.sendTrailers(this.#trailers));
      this.#closeRequest();
    });
    stream.on('finish', () => {
      if (!this.#waitsForTrailers) this.#closeRequest();
    });
    stream.on('close', () => {
      this.destroyed = true;
      this.emit('close');
    });
  }

  /** Node ends the stream by itself when the client goes: that is no end of an answer. */
  get writableFinished(): boolean {
    return (
      this.writableEnded &&
      this.#stream.writableFinished &&
      this.#stream.rstCode === constants.NGHTTP2_NO_ERROR
    );
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  get takesTrailers(): boolean {
    return this.#head === null ? this.#waitsForTrailers : !this.#bodyless;
  }

  /** The head goes out with the first piece, the end, or when it is flushed. Throws when a field cannot be sent. */
  writeHead(status: number, _phrase: string, received: readonly string[]): this {
    const fields = this.#connect === null ? received : answerConnect(this.#connect, status, received);
    // A change of protocols is a success here (RFC 8441 §5).
    const head: OutgoingHttpHeaders = { [constants.HTTP2_HEADER_STATUS]: status === 101 ? 200 : status };
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = (fields[i] ?? '').toLowerCase();
      const value = fields[i + 1] ?? '';
      if (NOT_SENT.has(name)) continue;
      if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new Error(`a value of ${name} cannot be sent`);
      const before = head[name];
      if (before === undefined) head[name] = value;
      else if (name === 'set-cookie')
        head[name] = [...(Array.isArray(before) ? before : [String(before)]), value];
      else head[name] = `${before}, ${value}`;
    }
    this.statusCode = status;
    this.#head = head;
    this.#bodyless = this.#toHead || status === 204 || status === 205 || status === 304;
    this.headersSent = true;
    return this;
  }

  /** A head that has the outcome of a call in it ends the stream (gRPC: Trailers-Only), so it waits for the end. */
  flushHeaders(): void {
    if (this.#head?.['grpc-status'] === undefined) this.#respond(false);
  }

  write(piece: Buffer): boolean {
    this.#respond(false);
    return this.#bodyless || this.#gone ? true : this.#stream.write(piece);
  }

  end(piece?: Buffer): void {
    if (this.writableEnded) return;
    this.writableEnded = true;
    const empty = piece === undefined || piece.length === 0;
    this.#respond(empty && Object.keys(this.#trailers).length === 0);
    if (this.#bodyless || this.#gone || this.#stream.writableEnded) return;
    if (empty) this.#stream.end();
    else this.#stream.end(piece);
  }

  addTrailers(trailers: NodeJS.Dict<string> | readonly [string, string][]): void {
    const pairs = Array.isArray(trailers) ? trailers : Object.entries(trailers);
    for (const [name, value] of pairs) {
      const before = this.#trailers[name.toLowerCase()];
      this.#trailers[name.toLowerCase()] = before === undefined ? value : `${before}, ${value}`;
    }
  }

  writeContinue(): void {
    this.#inform({ [constants.HTTP2_HEADER_STATUS]: 100 });
  }

  writeProcessing(): void {
    this.#inform({ [constants.HTTP2_HEADER_STATUS]: 102 });
  }

  writeEarlyHints(hints: Record<string, string | string[]>): void {
    const head: OutgoingHttpHeaders = { [constants.HTTP2_HEADER_STATUS]: 103 };
    for (const [name, values] of Object.entries(hints)) head[name] = [values].flat().join(', ');
    this.#inform(head);
  }

  /** The client must not take a part for the whole. */
  destroy(): void {
    this.#cut(this.#stream.headersSent ? constants.NGHTTP2_INTERNAL_ERROR : constants.NGHTTP2_CANCEL);
  }

  #cut(code: number): void {
    this.#stream.close(code);
    // On a connection that takes nothing, the frame that says so would hold the stream for ever.
    setImmediate(() => this.#stream.destroy());
  }

  #inform(head: OutgoingHttpHeaders): void {
    if (!this.#gone && !this.#stream.headersSent) this.#stream.additionalHeaders(head);
  }

  #respond(ends: boolean): void {
    const head = this.#head;
    if (head === null) return;
    this.#head = null;
    if (this.#gone) return;
    const endStream = ends || this.#bodyless;
    this.#waitsForTrailers = !endStream && this.statusCode !== 101;
    this.#guarded(() => this.#stream.respond(head, { endStream, waitForTrailers: this.#waitsForTrailers }));
  }

  /** Fields that Node refuses cost this stream only: nobody above events and pieces would catch. */
  #guarded(send: () => void): void {
    try {
      send();
    } catch {
      this.#cut(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  /** What is left of the request is not waited for (RFC 9113 §8.1). */
  #closeRequest(): void {
    const stream = this.#stream;
    // In another protocol both sides end for themselves.
    if (this.statusCode === 101) return;
    if (!stream.readableEnded) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  }

  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}
