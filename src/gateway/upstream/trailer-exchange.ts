/**
 * One request with trailers and its answer over HTTP/1.1, beside undici's pool but in the shape of its handlers:
 * undici's client ends a body without them. Knows one request.
 * @module
 */

import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import type { Writable } from 'node:stream';
import { type Dispatcher, errors } from 'undici';
import { MAX_UPSTREAM_HEADER_BYTES } from '../limits.ts';
import type { TrailerConnections } from './trailer-connections.ts';
import type { RequestTrailers, UpstreamRequest } from './upstream-pool.ts';

export class TrailerExchange implements Dispatcher.DispatchController {
  readonly #request: UpstreamRequest;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #connections: TrailerConnections;
  readonly #onClose: () => void;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** Name, value, name, value …, as undici's parser gives them. */
  rawHeaders: Buffer[] | null = null;
  #client: ClientRequest | null = null;
  #response: IncomingMessage | null = null;
  #over = false;

  /** `onClose` is called once, when the connection is another's, is closed, or was never there. */
  constructor(
    request: UpstreamRequest,
    handler: Dispatcher.DispatchHandler,
    connections: TrailerConnections,
    onClose: () => void,
  ) {
    this.#request = request;
    this.#handler = handler;
    this.#connections = connections;
    this.#onClose = onClose;
  }

  /** `origin`: scheme, host and port. */
  start(origin: string, trailers: RequestTrailers): void {
    let client: ClientRequest;
    try {
      client = this.#open(new URL(origin).host, trailers);
    } catch (error) {
      // No attempt of the version's: nothing was sent, and nothing would ever be.
      this.#fail(new errors.InvalidArgumentError(String(error)));
      this.#onClose();
      return;
    }
    this.#client = client;
    client.maxHeadersCount = 0;
    client.once('socket', () => {
      try {
        // Given up meanwhile: it throws.
        this.#handler.onRequestStart?.(this, {});
      } catch (refused) {
        client.destroy();
        this.#fail(refused instanceof Error ? refused : new Error(String(refused)));
        return;
      }
      void this.#write(client, this.#request.body, trailers);
    });
    client.on('error', (error) => this.#fail(error));
    client.on('information', ({ statusCode, rawHeaders }) => this.#head(statusCode, rawHeaders));
    client.on('response', (response) => this.#answer(response));
    client.once('close', () => {
      // A whole response that waits for a slow client needs its connection no more.
      if (this.#response?.complete !== true)
        this.#fail(this.reason ?? new Error('the connection was closed'));
      this.#onClose();
    });
  }

  /** Ends it, whatever it has come to; the handler hears of it. */
  cut(reason: Error): void {
    this.#client?.destroy(reason);
    this.#fail(reason);
  }

  abort(reason: Error): void {
    if (this.#over) return;
    this.aborted = true;
    this.reason = reason;
    this.#over = true;
    this.#client?.destroy();
  }

  pause(): void {
    this.paused = true;
    this.#response?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#response?.resume();
  }

  #open(host: string, trailers: RequestTrailers): ClientRequest {
    const { method, path, headers } = this.#request;
    const fields = Array.isArray(headers) ? headers.map(String) : [];
    const named = fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
    return openRequest({
      method,
      path,
      // Raw, so that names and their order stay as they are.
      headers: [
        ...(named ? [] : ['Host', host]),
        ...fields,
        ...['Transfer-Encoding', 'chunked', 'Trailer', trailers.declared, 'Connection', 'keep-alive'],
      ],
      agent: this.#connections,
      maxHeaderSize: MAX_UPSTREAM_HEADER_BYTES,
      insecureHTTPParser: false,
    });
  }

  async #write(client: ClientRequest, body: unknown, trailers: RequestTrailers): Promise<void> {
    try {
      if (body instanceof Uint8Array) client.write(body);
      else if (isIterable(body)) {
        for await (const piece of body) {
          if (client.destroyed || this.#over) return;
          if (!client.write(piece)) await drained(client);
        }
      }
      if (client.destroyed) return;
      client.addTrailers(trailers.read());
      client.end();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      client.destroy();
    }
  }

  #answer(response: IncomingMessage): void {
    this.#response = response;
    response.on('error', (error) => this.#fail(error));
    this.#head(response.statusCode ?? 0, response.rawHeaders);
    if (this.#over) return;
    response.on('data', (piece: Buffer) => {
      if (!this.#over) this.#handler.onResponseData?.(this, piece);
    });
    response.on('end', () => {
      if (this.#over || !response.complete) return;
      this.#over = true;
      this.#handler.onResponseEnd?.(this, response.trailers);
      // An answer before the end of the request: the rest of it is not sent.
      this.#client?.destroy();
    });
    if (this.paused) response.pause();
  }

  #head(status: number, fields: readonly string[]): void {
    if (this.#over) return;
    this.rawHeaders = fields.map((text) => Buffer.from(text, 'latin1'));
    this.#handler.onResponseStart?.(this, status, {}, '');
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onResponseError?.(this, error);
  }
}

function isIterable(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

/** Resolves when there is room again, or nobody will take anything any more. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
