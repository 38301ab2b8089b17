/**
 * An HTTP/2 request in the terms of HTTP/1.1 (RFC 9113 §8.3), so that one set of rules admits both. Knows the stream;
 * decides nothing.
 * @module
 */

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { isGrpc } from '../../core/policy/grpc/status.ts';
import type { ClientRequest } from '../client.ts';
import type { ExtendedConnect } from './h2-connect.ts';

const NO_BYTES = Buffer.alloc(0);
/** A colon, a space and the end of the line. */
const FIELD_BYTES = 4;

export class H2Request implements ClientRequest {
  readonly #stream: ServerHttp2Stream;
  readonly method: string;
  readonly url: string;
  readonly httpVersionMajor = 1;
  readonly httpVersionMinor = 1;
  readonly rawHeaders: string[] = [];
  readonly headers: IncomingHttpHeaders = Object.create(null);
  rawTrailers: string[] = [];
  readonly socket: Socket;
  readonly headBytes: number;
  readonly grpc: boolean;

  /**
   * `raw`: name, value, name, value … as received. `bodyless`: the stream ended with its fields. `connect`: what follows is
   * no body but another protocol.
   */
  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
    socket: Socket,
    bodyless: boolean,
    connect: ExtendedConnect | null,
  ) {
    this.#stream = stream;
    stream.once('trailers', (...[, , rawTrailers]: unknown[]) => {
      if (Array.isArray(rawTrailers)) this.rawTrailers = rawTrailers.map(String);
    });
    this.socket = socket;
    this.grpc = connect === null && isGrpc(headers['content-type']);
    this.method = connect === null ? String(headers[constants.HTTP2_HEADER_METHOD] ?? '') : 'GET';
    this.url = String(headers[constants.HTTP2_HEADER_PATH] ?? '');
    const authority = headers[constants.HTTP2_HEADER_AUTHORITY];
    // A Host field that says the same is no second one.
    const host = authority === undefined || headers.host === authority ? headers.host : undefined;
    if (authority !== undefined) this.rawHeaders.push('Host', String(authority));
    for (const [name, value] of Object.entries(headers)) {
      if (!name.startsWith(':')) this.headers[name] = value;
    }
    this.headers.host = authority === undefined ? headers.host : String(authority);
    let headBytes = 0;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? '';
      headBytes += name.length + (raw[i + 1] ?? '').length + FIELD_BYTES;
      const sameHost = name === 'host' && authority !== undefined && host !== undefined;
      // Cookies may come in crumbs (RFC 9113 §8.2.3), which only HTTP/2 knows.
      if (name.startsWith(':') || name === 'cookie' || sameHost) continue;
      if (connect !== null && name === 'sec-websocket-key') continue;
      this.rawHeaders.push(name, raw[i + 1] ?? '');
    }
    this.headBytes = headBytes;
    if (headers.cookie !== undefined) this.rawHeaders.push('cookie', headers.cookie);
    if (connect !== null) {
      this.headers.upgrade = connect.protocol;
      if (connect.key !== '') this.rawHeaders.push('Sec-WebSocket-Key', connect.key);
    } else if (!bodyless && headers['content-length'] === undefined)
      this.rawHeaders.push('Transfer-Encoding', 'chunked');
  }

  get complete(): boolean {
    return this.#stream.readableEnded;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  get readableFlowing(): boolean | null {
    return this.#stream.readableFlowing;
  }

  isPaused(): boolean {
    return this.#stream.isPaused();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  on(event: 'data' | 'end' | 'error' | 'close', listener: (piece: Buffer) => void): this {
    const stream = this.#stream;
    stream.on(event, listener);
    // A body without bytes may have ended with its head, before anybody listened.
    if (event === 'end' && stream.readableEnded) queueMicrotask(() => listener(NO_BYTES));
    return this;
  }
}
