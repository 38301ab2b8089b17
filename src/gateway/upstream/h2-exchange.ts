/**
 * One request and its answer on an HTTP/2 session, in the shape of undici's handlers. Knows one stream; which
 * session carries it is the pool's business.
 * @module
 */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Dispatcher } from 'undici';
import { isGrpc } from '../../core/policy/grpc/status.ts';
import { drained } from './trailer-exchange.ts';
import type { UpstreamRequest } from './upstream-pool.ts';

/** Of one connection only, so HTTP/2 has no place for them (RFC 9113 §8.2.2); Host becomes `:authority`. */
const NOT_SENT = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'host',
]);

export class H2Exchange implements Dispatcher.DispatchController {
  readonly request: UpstreamRequest;
  readonly handler: Dispatcher.DispatchHandler;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** Name, value, name, value …, as undici's parser gives them. */
  rawHeaders: Buffer[] | null = null;
  /** The status is there: the session is alive. */
  answered = false;
  readonly #onAbort: (exchange: H2Exchange) => void;
  #stream: ClientHttp2Stream | null = null;
  #over = false;
  /** Of the body by its Content-Length, what is still to come; NaN when it has none. */
  #left = Number.NaN;
  /** Completes that length, and waits for the end: the handler must not take one for the other. */
  #final: Buffer | null = null;
  /** The stream has ended; the handler may still have to hear of it. */
  #ended = false;

  /** `onAbort` is called when an answer is not waited for any longer. */
  constructor(
    request: UpstreamRequest,
    handler: Dispatcher.DispatchHandler,
    onAbort: (exchange: H2Exchange) => void,
  ) {
    this.request = request;
    this.handler = handler;
    this.#onAbort = onAbort;
  }

  /** Called by an event, where what is thrown would end the process. */
  #sendTrailers(stream: ClientHttp2Stream, pairs: readonly [string, string][]): void {
    try {
      stream.sendTrailers(fieldsByName(pairs));
    } catch (error) {
      this.reason ??= error instanceof Error ? error : new Error(String(error));
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** False when nobody wants it any more. `onClose` is called once, when the stream has ended. */
  start(session: ClientHttp2Session, scheme: string, authority: string, onClose: () => void): boolean {
    try {
      this.handler.onRequestStart?.(this, {});
    } catch {
      return false;
    }
    const { body, trailers = null } = this.request;
    const stream = session.request(fieldsOf(this.request, scheme, authority), {
      endStream: body == null,
      waitForTrailers: trailers !== null,
    });
    this.#stream = stream;
    if (trailers !== null) stream.on('wantTrailers', () => this.#sendTrailers(stream, trailers.read()));
    stream.on('headers', (headers) => this.#head(headers));
    stream.on('response', (headers) => this.#response(headers));
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers;
    });
    stream.on('end', () => this.#end());
    // The reason; that it is over is told by `close`.
    stream.on('error', (error) => {
      this.reason ??= error;
    });
    stream.on('close', () => {
      if (!this.#ended)
        this.fail(this.reason ?? new Error(`the stream was closed with code ${stream.rstCode}`));
      onClose();
    });
    if (body instanceof Uint8Array || typeof body === 'string') stream.end(body);
    else if (isIterable(body)) void this.#send(stream, body);
    return true;
  }

  #trailers: IncomingHttpHeaders = {};

  abort(reason: Error): void {
    if (this.#over) return;
    this.aborted = true;
    this.reason = reason;
    this.#over = true;
    this.#cancel();
    this.#onAbort(this);
  }

  pause(): void {
    this.paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#stream?.resume();
    if (this.#ended) this.#complete();
  }

  fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.handler.onResponseError?.(this, error);
  }

  /** Destroyed too: a paused stream would wait for somebody to read what is left. */
  #cancel(): void {
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#stream?.destroy();
  }

  #head(headers: IncomingHttpHeaders): void {
    if (this.#over) return;
    this.answered = true;
    this.rawHeaders = rawOf(headers);
    this.handler.onResponseStart?.(this, Number(headers[constants.HTTP2_HEADER_STATUS]), headers, '');
  }

  #response(headers: IncomingHttpHeaders): void {
    this.#head(headers);
    const length = headers[constants.HTTP2_HEADER_CONTENT_LENGTH];
    if (length !== undefined) this.#left = Number(length);
    this.#stream?.on('data', (piece: Buffer) => this.#piece(piece));
    if (this.paused) this.#stream?.pause();
  }

  #piece(piece: Buffer): void {
    if (this.#over) return;
    this.#left -= piece.length;
    if (this.#left === 0) this.#final = piece;
    else this.handler.onResponseData?.(this, piece);
  }

  /**
   * What completes the body goes with its end, as undici's parser has it for HTTP/1.1: a response that is complete is
   * over for the gateway, which lets go of an attempt that has not ended, and a reset would end a stream that is done.
   */
  #end(): void {
    if (this.#over || !this.answered) return;
    this.#ended = true;
    const final = this.#final;
    this.#final = null;
    if (final !== null) this.handler.onResponseData?.(this, final);
    if (!this.paused) this.#complete();
  }

  #complete(): void {
    if (this.#over) return;
    this.#over = true;
    this.handler.onResponseEnd?.(this, this.#trailers);
    // Answered early: the rest of the request is not sent.
    if (this.#stream?.writableEnded === false) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  async #send(stream: ClientHttp2Stream, body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of body) {
        if (stream.destroyed || this.#over) return;
        if (!stream.write(piece)) await drained(stream);
      }
      if (!stream.destroyed) stream.end();
    } catch (error) {
      this.reason ??= error instanceof Error ? error : new Error(String(error));
      this.#cancel();
    }
  }
}

function isIterable(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

function fieldsOf(request: UpstreamRequest, scheme: string, authority: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  fields[constants.HTTP2_HEADER_METHOD] = request.method;
  fields[constants.HTTP2_HEADER_SCHEME] = scheme;
  fields[constants.HTTP2_HEADER_AUTHORITY] = authority;
  fields[constants.HTTP2_HEADER_PATH] = request.path;
  const raw: readonly unknown[] = Array.isArray(request.headers) ? request.headers : [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]).toLowerCase();
    const value = String(raw[i + 1]);
    if (name === 'host') fields[constants.HTTP2_HEADER_AUTHORITY] = value;
    if (NOT_SENT.has(name)) continue;
    const before = fields[name];
    // Node takes some fields once only; combined they say the same (RFC 9110 §5.3).
    fields[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  if (request.trailers != null) fields.trailer = request.trailers.declared;
  // What tells a gRPC server that it may answer.
  if (isGrpc(fields['content-type'])) fields.te = 'trailers';
  if (request.body instanceof Uint8Array) fields['content-length'] = String(request.body.length);
  return fields;
}

/** Repeated ones as one list (RFC 9110 §5.3): of some fields Node takes a single value only, and throws. */
function fieldsByName(pairs: readonly [string, string][]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    fields[lower] = fields[lower] === undefined ? value : `${fields[lower]}, ${value}`;
  }
  return fields;
}

function rawOf(headers: IncomingHttpHeaders): Buffer[] {
  const raw: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) {
      raw.push(Buffer.from(name, 'latin1'), Buffer.from(each, 'latin1'));
    }
  }
  return raw;
}
