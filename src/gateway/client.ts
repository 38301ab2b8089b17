/**
 * A client's request and the response to it, as far as stages may know them: over HTTP/1.1 they are Node's own, over
 * HTTP/2 those of `http2/`. Shapes only.
 * @module
 */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Where the body of a request comes from. */
export interface BodySource {
  readonly destroyed: boolean;
  readonly readableFlowing: boolean | null;
  isPaused(): boolean;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  on(event: 'data', listener: (piece: Buffer) => void): unknown;
  on(event: 'end' | 'error' | 'close', listener: () => void): unknown;
}

export interface ClientRequest extends BodySource {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: string[];
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value … as received; filled when all of the body was read. */
  readonly rawTrailers: string[];
  readonly socket: Socket;
  /** Of the head, about as HTTP/1.1 would have it. Left out where the parser has bounded it. */
  readonly headBytes?: number;
  /** It is a gRPC call. Left out where that cannot be (HTTP/1.1 clients get no trailers). */
  readonly grpc?: boolean;
  /** All of the body has come. */
  readonly complete: boolean;
}

/** What Node's response offers of this, with the same meaning. */
type FromNode =
  | 'statusCode'
  | 'headersSent'
  | 'destroyed'
  | 'writableEnded'
  | 'writableFinished'
  | 'writableLength'
  | 'shouldKeepAlive'
  | 'flushHeaders'
  | 'addTrailers';

export interface ClientResponse extends Pick<ServerResponse<IncomingMessage>, FromNode> {
  /** Null: the connection is still busy with an earlier request. */
  readonly socket: Socket | null;
  writeHead(status: number, phrase: string, fields: string[]): unknown;
  /** Fields can follow the body. Known once there is a head. */
  readonly takesTrailers: boolean;
  writeContinue(): void;
  writeProcessing(): void;
  writeEarlyHints(hints: Record<string, string | string[]>): void;
  write(piece: Buffer): boolean;
  end(piece?: Buffer): unknown;
  destroy(): unknown;
  /** Listeners are called with the response as `this`. */
  on(event: 'close', listener: (this: never) => void): unknown;
  once(event: 'drain' | 'socket' | 'close', listener: (this: never) => void): unknown;
}
