/**
 * One request with trailers and its answer over HTTP/1.1, on a connection of its own, in the shape of undici's handlers:
 * undici's client ends a body without them. Knows one request.
 * @module
 */

import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import type { buildConnector, Dispatcher } from 'undici';
import type { RequestTrailers, UpstreamRequest } from './upstream-pool.ts';

export interface TrailerPlace {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly connect: buildConnector.connector;
  readonly maxHeaderBytes: number;
}

export class TrailerExchange implements Dispatcher.DispatchController {
  readonly #request: UpstreamRequest;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #place: TrailerPlace;
  readonly #onClose: () => void;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** Name, value, name, value …, as undici's parser gives them. */
  rawHeaders: Buffer[] | null = null;
  #client: ClientRequest | null = null;
  #response: IncomingMessage | null = null;
  #over = false;

  /** `onClose` is called once, when the connection is closed or was never there. */
  constructor(
    request: UpstreamRequest,
    handler: Dispatcher.DispatchHandler,
    place: TrailerPlace,
    onClose: () => void,
  ) {
    this.#request = request;
    this.#handler = handler;
    this.#place = place;
    this.#onClose = onClose;
  }

  start(trailers: RequestTrailers): void {
    const { protocol, host, hostname, port } = new URL(this.#place.origin);
    const options = { hostname, host, protocol, port, servername: this.#request.servername };
    this.#place.connect(options, (error, socket) => {
      if (error !== null) {
        this.#fail(error);
        this.#onClose();
        return;
      }
      if (this.#over) socket.destroy();
      socket.once('close', () => {
        // A whole response that waits for a slow client needs its connection no more.
        if (this.#response?.complete !== true)
          this.#fail(this.reason ?? new Error('the connection was closed'));
        this.#onClose();
      });
      if (this.#over) return;
      try {
        // Given up meanwhile: it throws.
        this.#handler.onRequestStart?.(this, {});
        this.#send(socket, host, trailers);
      } catch (refused) {
        socket.destroy();
        this.#fail(refused instanceof Error ? refused : new Error(String(refused)));
      }
    });
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

  #send(socket: Duplex, host: string, trailers: RequestTrailers): void {
    const { method, path, headers, body } = this.#request;
    const fields = Array.isArray(headers) ? headers.map(String) : [];
    const named = fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
    const client = openRequest({
      method,
      path,
      // Raw, so that names and their order stay as they are.
      headers: [
        ...(named ? [] : ['Host', host]),
        ...fields,
        ...['Transfer-Encoding', 'chunked', 'Trailer', trailers.declared, 'Connection', 'close'],
      ],
      createConnection: () => socket,
      maxHeaderSize: this.#place.maxHeaderBytes,
      insecureHTTPParser: false,
    });
    this.#client = client;
    client.maxHeadersCount = 0;
    client.on('error', (error) => this.#fail(error));
    client.on('information', ({ statusCode, rawHeaders }) => this.#head(statusCode, rawHeaders));
    client.on('response', (response) => this.#answer(response));
    void this.#write(client, body, trailers);
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
