/**
 * HTTP/2 connections of clients: tells them from HTTP/1.1 (by ALPN, or by the first bytes), hands their requests on,
 * bounds what one of them may do, and says goodbye. Knows no requests' meaning.
 * @module
 */

import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ListenerConfig } from '../../config/policies/listeners.ts';
import type { ClientRequest } from '../client.ts';
import type { ExchangeResponse } from '../exchange.ts';
import {
  H2_CLIENT_WINDOW_BYTES,
  H2_FIELD_OVERHEAD_BYTES,
  H2_GOODBYE_MS,
  H2_HEAD_FACTOR,
  H2_RESET_BURST,
  H2_RESETS_PER_SECOND,
  MAX_H2_CLIENT_STREAMS,
  MAX_H2_SESSION_MB,
} from '../limits.ts';
import type { HeadWatch } from '../listeners/head-watch.ts';
import { destroyLater } from './destroy-later.ts';
import { readConnect } from './h2-connect.ts';
import { watchLife } from './h2-life.ts';
import { H2Request } from './h2-request.ts';
import { H2Response } from './h2-response.ts';

/** First bytes of a client that knows that HTTP/2 is spoken (RFC 9113 §3.4); no method begins like this. */
const PREFACE = Buffer.from('PRI * HTTP/2.0');
const DECISIVE_BYTES = 4;
/** Method, scheme, authority, path and protocol, and as many to spare. */
const PSEUDO_FIELDS = 10;

type Handle = (request: ClientRequest, response: ExchangeResponse) => void;

export class H2Sessions {
  readonly #handle: Handle;
  readonly #heads: HeadWatch;
  #config: ListenerConfig;
  readonly #sessions = new Set<ServerHttp2Session>();
  #leaving = false;

  /** Takes the connections of `server` that speak HTTP/2; the others are its own as before. */
  constructor(server: Server, config: ListenerConfig, heads: HeadWatch, handle: Handle) {
    this.#heads = heads;
    this.#handle = handle;
    this.#config = config;
    const event = config.tls === null ? 'connection' : 'secureConnection';
    const http1 = server.listeners(event);
    server.removeAllListeners(event);
    const toHttp1 = (socket: Socket): void => {
      for (const listener of http1) listener.call(server, socket);
    };
    server.on(event, (socket: Socket) => {
      if (!(socket instanceof TLSSocket)) this.#tell(socket, toHttp1);
      else if (socket.alpnProtocol === 'h2') this.#serve(socket);
      else toHttp1(socket);
    });
  }

  /** New connections, and the next deadlines of those that are open, go by `config`. */
  use(config: ListenerConfig): void {
    this.#config = config;
  }

  /** Tells all clients to open no more requests here; those under way go on. */
  goAway(): void {
    this.#leaving = true;
    for (const session of this.#sessions) session.close();
  }

  #tell(socket: Socket, toHttp1: (socket: Socket) => void): void {
    let start = Buffer.alloc(0);
    const cut = (): void => {
      socket.destroy();
    };
    const onData = (piece: Buffer): void => {
      start = Buffer.concat([start, piece]);
      const same = start.subarray(0, PREFACE.length).equals(PREFACE.subarray(0, start.length));
      if (same && start.length < DECISIVE_BYTES) return;
      socket.pause();
      socket.off('data', onData).off('end', cut).off('error', cut);
      socket.unshift(start);
      if (same) this.#serve(socket);
      else {
        toHttp1(socket);
        socket.resume();
      }
    };
    // Whoever ends before it has said what it speaks wants nothing.
    socket.on('data', onData).on('end', cut).on('error', cut);
  }

  #serve(socket: Socket): void {
    const { limits } = this.#config;
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: H2_HEAD_FACTOR * limits.maxHeaders + PSEUDO_FIELDS,
      maxSessionMemory: MAX_H2_SESSION_MB,
      settings: {
        maxConcurrentStreams: MAX_H2_CLIENT_STREAMS,
        maxHeaderListSize:
          H2_HEAD_FACTOR * (limits.maxHeaderBytes + limits.maxHeaders * H2_FIELD_OVERHEAD_BYTES),
        initialWindowSize: H2_CLIENT_WINDOW_BYTES,
        // Which routes change protocols is for the routes to say (RFC 8441 §3).
        enableConnectProtocol: true,
      },
    });
    destroyLater(session);
    this.#sessions.add(session);
    let open = 0;
    let lastStream = 0;
    const resets = new ResetAllowance(performance.now());
    let isCutOff = false;
    const cutOff = (): void => {
      // Node throws at a GOAWAY for a session that is destroyed.
      if (isCutOff || session.destroyed) return;
      isCutOff = true;
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
    };
    session.on('error', () => session.destroy());
    session.on('close', () => this.#sessions.delete(session));
    // Node's own timer of a session counts pings as life, and never rings where the client takes nothing.
    const goodbyeAfter = (ms: number): NodeJS.Timeout => setTimeout(() => sayGoodbye(session, socket), ms);
    // Until the first request as short as a request head may take, then as long as an idle connection may live.
    let idle = goodbyeAfter(this.#heads.headMs);
    socket.once('close', () => clearTimeout(idle));
    watchLife(session, socket, limits.keepAliveMs, () => open > 0);
    this.#heads.follow(socket, {
      // Other frames come on idle connections too, and while requests are under way half a head holds nothing more.
      begun: () => open === 0 && !session.destroyed && (session.state.lastProcStreamID ?? 0) > lastStream,
      late: () => socket.destroy(),
    });
    const onStream = (
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      flags: number,
      raw: unknown,
    ): void => {
      // Of what is read at once, Node tells all that is asked for before what of it was called off. HTTP/2 itself bounds
      // what is under way, so whatever is beyond that was called off.
      if (open >= MAX_H2_CLIENT_STREAMS + H2_RESET_BURST) cutOff();
      if (isCutOff) {
        stream.on('error', () => {});
        return;
      }
      clearTimeout(idle);
      this.#heads.headCame(socket, null);
      lastStream = stream.id ?? lastStream;
      open += 1;
      const bodyless = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      const connect = readConnect(headers);
      const fields = Array.isArray(raw) ? raw : [];
      const request = new H2Request(stream, headers, fields, socket, bodyless, connect);
      const response = new H2Response(stream, socket, request.method === 'HEAD', connect);
      response.once('close', () => {
        open -= 1;
        if (open === 0 && !socket.destroyed) idle = goodbyeAfter(this.#config.limits.keepAliveMs);
        // What ends with its session was not called off.
        if (session.destroyed || response.writableFinished) return;
        if (!resets.take(performance.now())) cutOff();
      });
      this.#handle(request, response);
    };
    session.on('stream', onStream);
    if (this.#leaving) session.close();
  }
}

/** Node waits for ever until a closed connection has taken what is left for it. */
function sayGoodbye(session: ServerHttp2Session, socket: Socket): void {
  session.close();
  const timer = setTimeout(() => socket.destroy(), H2_GOODBYE_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Requests that a client may call off: as many as people do, not as many as make work for nothing (CVE-2023-44487). */
class ResetAllowance {
  #left = H2_RESET_BURST;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#left = Math.min(H2_RESET_BURST, this.#left + ((nowMs - this.#atMs) / 1000) * H2_RESETS_PER_SECOND);
    this.#atMs = nowMs;
    this.#left -= 1;
    return this.#left >= 0;
  }
}
