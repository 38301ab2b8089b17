/**
 * The way out: whatever a client gets (an upstream's response, a stored one, a replay, a problem document) is sent
 * here, through the filters of its route if that has any. Knows the client's response; nothing of where one came from.
 * @module
 */

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import type { CompiledTransform, OutgoingResponse } from './transform-model.ts';

/** What a response says of itself; filters change it before it is sent. */
export interface OutgoingHead {
  status: number;
  /** Name, value, name, value … */
  fields: string[];
}

/** A response on its way through the filters of its route. */
class Outgoing implements OutgoingResponse {
  readonly #exchange: Exchange;
  readonly #transform: CompiledTransform;
  readonly #head: OutgoingHead;
  #chain: readonly Duplex[] = [];

  constructor(exchange: Exchange, transform: CompiledTransform, head: OutgoingHead) {
    this.#exchange = exchange;
    this.#transform = transform;
    this.#head = head;
  }

  /** Throws when Node refuses a field. */
  begin(): void {
    this.#sendHead();
  }

  /** False: not before the client has taken some of it; the attempt is then resumed. */
  write(piece: Buffer): boolean {
    const { response } = this.#exchange;
    if (response.writableEnded || response.destroyed) return true;
    const [first] = this.#chain;
    if (first === undefined) return this.#emit(piece);
    if (first.write(piece)) return true;
    first.once('drain', () => this.#exchange.attempt?.resume());
    return false;
  }

  end(): void {
    const { response } = this.#exchange;
    if (response.writableEnded || response.destroyed) return;
    const [first] = this.#chain;
    if (first === undefined) response.end();
    else first.end();
  }

  #emit(piece: Buffer): boolean {
    const { response } = this.#exchange;
    this.#exchange.bytesOut += piece.length;
    if (response.write(piece)) return true;
    response.once('drain', resumeAttempt);
    return false;
  }

  #sendHead(): void {
    const exchange = this.#exchange;
    let { fields } = this.#head;
    for (const edit of this.#transform.responseFields) fields = edit(exchange, fields);
    writeHead(exchange, this.#head.status, fields);
  }
}

function resumeAttempt(this: unknown): void {
  (this as Exchange['response']).exchange?.attempt?.resume();
}

function writeHead({ response, runtime }: Exchange, status: number, fields: string[]): void {
  if (runtime.draining) response.shouldKeepAlive = false;
  // The standard phrase, because the upstream's may be as odd as a field.
  response.writeHead(status, STATUS_CODES[status] ?? '', fields);
}

/** The filters of the route; none for a response that goes nowhere. */
function filtersOf(exchange: Exchange): CompiledTransform | null {
  const transform = exchange.route?.transform ?? null;
  return transform === null || exchange.cacheRun?.background === true ? null : transform;
}

/** Begins a response whose body comes in pieces: to `exchange.outgoing` if there is one, else to the response. */
export function sendHead(exchange: Exchange, status: number, fields: string[]): void {
  const transform = filtersOf(exchange);
  if (transform === null) {
    writeHead(exchange, status, fields);
    return;
  }
  const outgoing = new Outgoing(exchange, transform, { status, fields });
  exchange.outgoing = outgoing;
  outgoing.begin();
}

/** Sends a response whose body is here. */
export function sendWhole(exchange: Exchange, status: number, fields: string[], body: Buffer): void {
  sendHead(exchange, status, fields);
  const { outgoing, response } = exchange;
  if (outgoing === null) {
    exchange.bytesOut = body.length;
    if (body.length === 0) response.end();
    else response.end(body);
    return;
  }
  if (body.length > 0) outgoing.write(body);
  outgoing.end();
}

/** Sends what the gateway itself says: its fields are edited like any other's, its body is not. */
export function sendOwn(exchange: Exchange, status: number, fields: string[], body: Buffer): void {
  const transform = filtersOf(exchange);
  let edited = fields;
  for (const edit of transform?.responseFields ?? []) edited = edit(exchange, edited);
  exchange.bytesOut = exchange.method === 'HEAD' ? 0 : body.length;
  writeHead(exchange, status, edited);
  exchange.response.end(body);
}
