/**
 * One deadline for every request head of a connection, whatever comes instead of it and whatever came before: finding out
 * the protocol, empty lines, half a frame. Knows when heads came; nothing of what they say.
 * @module
 */

import type { Socket } from 'node:net';
import { CONNECTIONS_CHECK_MS } from '../limits.ts';
import { owesResponse } from '../upgrade/accept-upgrade.ts';
import { isHeldBack } from './pipelined.ts';

export interface HeadFacts {
  /** Something of a next head has come. `busy`: something else has come since this was asked last. */
  begun(busy: boolean): boolean;
  /** Ends the connection. */
  late(): void;
}

interface Watched {
  facts: HeadFacts;
  readonly startedMs: number;
  heads: number;
  headsBefore: number;
  /** The last request, until all of it was seen to be there. */
  last: { readonly complete: boolean } | null;
  /** When a next head was seen to have begun; −1: it has not. */
  begunMs: number;
}

/**
 * Node's own deadline begins with the first byte of a message, for which it takes no empty line, and anew when a connection
 * is handed to its parser; over HTTP/2 it has none.
 */
export class HeadWatch {
  readonly #watched = new Map<Socket, Watched>();
  readonly #timer = setInterval(() => this.#look(performance.now()), CONNECTIONS_CHECK_MS);
  /** From the start of a connection, or from the first byte of a further head, to its last one. */
  headMs: number;

  constructor(headMs: number) {
    this.headMs = headMs;
    this.#timer.unref();
  }

  /** The time of a connection that is watched already goes on. */
  follow(socket: Socket, facts: HeadFacts): void {
    const before = this.#watched.get(socket);
    if (before !== undefined) {
      before.facts = facts;
      return;
    }
    const fresh = { facts, startedMs: performance.now(), heads: 0, headsBefore: 0, last: null, begunMs: -1 };
    this.#watched.set(socket, fresh);
    socket.once('close', () => this.#watched.delete(socket));
  }

  /** `request`: null where its body is no part of what is watched. */
  headCame(socket: Socket, request: Watched['last']): void {
    const watched = this.#watched.get(socket);
    if (watched === undefined) return;
    watched.heads += 1;
    watched.last = request;
  }

  /** No head comes there any more. */
  leave(socket: Socket): void {
    this.#watched.delete(socket);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(nowMs: number): void {
    for (const [socket, watched] of this.#watched) {
      if (!this.#isLate(watched, nowMs)) continue;
      this.#watched.delete(socket);
      watched.facts.late();
    }
  }

  #isLate(watched: Watched, nowMs: number): boolean {
    if (watched.heads === 0) return nowMs - watched.startedMs >= this.headMs;
    // A body may be read to its end after its answer.
    const busy = watched.heads !== watched.headsBefore || watched.last?.complete === false;
    watched.headsBefore = watched.heads;
    if (!busy) watched.last = null;
    const begun = watched.facts.begun(busy);
    if (!begun) watched.begunMs = -1;
    else if (watched.begunMs < 0) watched.begunMs = nowMs;
    // It had begun since the look before that at the earliest.
    return begun && nowMs > watched.begunMs && nowMs - watched.begunMs >= this.headMs - CONNECTIONS_CHECK_MS;
  }
}

/** Of HTTP/1.1: whatever comes while no response is owed belongs to a next head. */
export function http1Heads(socket: Socket, late: () => void): HeadFacts {
  let bytesAtRest = -1;
  return {
    begun: (busy) => {
      if (busy || owesResponse(socket) || isHeldBack(socket)) bytesAtRest = -1;
      else if (bytesAtRest < 0) bytesAtRest = socket.bytesRead;
      return bytesAtRest >= 0 && socket.bytesRead > bytesAtRest;
    },
    late,
  };
}
