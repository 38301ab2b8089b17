/**
 * The way out: whatever a client gets (an upstream's response, a stored one, a replay, a problem document) is sent
 * here, through the filters of its route if that has any. Knows the client's response; nothing of where one came from.
 * @module
 */

import type { Transform } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';
import { fieldsOfChangedBody, fieldsWithout, fieldText } from './field-list.ts';
import { filtersOf, sendOwn, writeHead } from './own-response.ts';
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
  /** The body so far, while it is gathered to be reshaped. */
  #gathered: Buffer[] | null = null;
  #gatheredBytes = 0;
  /** A body of the gateway's own, sent instead of what comes once that is over. */
  #replacement: Buffer | null = null;
  #chain: readonly Transform[] = [];

  constructor(exchange: Exchange, transform: CompiledTransform, head: OutgoingHead) {
    this.#exchange = exchange;
    this.#transform = transform;
    this.#head = head;
  }

  get holdsBack(): boolean {
    return this.#gathered !== null || this.#replacement !== null;
  }

  /** Throws when Node refuses a field. */
  begin(): void {
    const { status } = this.#head;
    const mapped = this.#transform.status?.get(status);
    if (mapped !== undefined) {
      this.#head.status = mapped.to;
      this.#exchange.note('upstream_status', String(status));
      if (mapped.problem !== null) {
        this.#replacement = this.#problem(mapped.to, mapped.problem);
        return;
      }
    }
    const json = status < 300 ? this.#transform.responseJson : null;
    const kind = json === null || status === 204 ? null : json.kindOf(this.#head.fields);
    if (json === null || kind === null) {
      this.#sendHead(null);
      return;
    }
    const length = Number(fieldText(this.#head.fields, 'content-length') ?? 0);
    const unreadable =
      kind === 'unreadable' || status === 206 || (kind === 'whole' && length > json.maxBytes);
    if (unreadable) {
      if (json.refuses) this.#fail();
      else this.#sendHead(null);
      return;
    }
    this.#head.fields = fieldsOfChangedBody(this.#head.fields);
    if (kind === 'lines') this.#sendHead(json.lines(this.#exchange));
    else if (this.#exchange.method === 'HEAD') this.#sendHead(null);
    else this.#gathered = [];
  }

  /** False: not before the client has taken some of it; the attempt is then resumed. */
  write(piece: Buffer): boolean {
    const { response } = this.#exchange;
    if (this.#replacement !== null || response.writableEnded || response.destroyed) return true;
    if (this.#gathered !== null) {
      this.#gather(piece);
      return true;
    }
    return this.#pass(piece);
  }

  end(): void {
    const { response } = this.#exchange;
    if (response.writableEnded || response.destroyed) return;
    if (this.#replacement !== null) {
      sendOwn(this.#exchange, this.#head.status, this.#head.fields, this.#replacement);
      return;
    }
    if (this.#gathered !== null && !this.#reshape(Buffer.concat(this.#gathered))) return;
    const [first] = this.#chain;
    if (first === undefined) response.end();
    else first.end();
  }

  #pass(piece: Buffer): boolean {
    const [first] = this.#chain;
    if (first === undefined) return this.#emit(piece);
    if (first.write(piece)) return true;
    first.once('drain', () => this.#exchange.attempt?.resume());
    return false;
  }

  #emit(piece: Buffer): boolean {
    const { response } = this.#exchange;
    this.#exchange.bytesOut += piece.length;
    if (response.write(piece)) return true;
    response.once('drain', resumeAttempt);
    return false;
  }

  #gather(piece: Buffer): void {
    const json = this.#transform.responseJson;
    this.#gathered?.push(piece);
    this.#gatheredBytes += piece.length;
    if (json === null || this.#gatheredBytes <= json.maxBytes) return;
    if (json.refuses) this.#fail();
    else this.#passGathered();
  }

  /** It is larger than what can be reshaped: it goes on as it came. */
  #passGathered(): void {
    const pieces = this.#gathered ?? [];
    this.#gathered = null;
    if (this.#trySendHead()) for (const piece of pieces) this.#pass(piece);
  }

  /** False: the response is over. */
  #reshape(body: Buffer): boolean {
    const json = this.#transform.responseJson;
    const mapped = body.length === 0 ? body : json?.map(this.#exchange, body);
    if (mapped === undefined && json?.refuses === true) {
      this.#fail();
      return false;
    }
    const sent = mapped ?? body;
    this.#gathered = null;
    this.#head.fields = [...this.#head.fields, 'Content-Length', String(sent.length)];
    if (mapped !== undefined) this.#exchange.note('response_body', 'mapped');
    if (!this.#trySendHead()) return false;
    if (sent.length > 0) this.#pass(sent);
    return true;
  }

  /** The head that was held back; false when Node refuses a field of it. */
  #trySendHead(): boolean {
    try {
      this.#sendHead(null);
      return true;
    } catch {
      this.#fail();
      return false;
    }
  }

  /** Nothing has been sent: the client gets a problem document, and the rest of the answer is not read. */
  #fail(): void {
    const { attempt, hold } = this.#exchange;
    this.#gathered ??= [];
    replyProblem(this.#exchange, 'RESPONSE_UNREADABLE', '');
    this.#gathered = null;
    if (attempt?.phase === 'streaming' && (hold === null || hold.settled)) attempt.discard();
  }

  #problem(status: number, { title, detail }: { readonly title: string; readonly detail: string }): Buffer {
    const { requestId } = this.#exchange;
    const stated = detail === '' ? undefined : { detail };
    const body = Buffer.from(
      JSON.stringify({ type: 'about:blank', title, status, ...stated, request_id: requestId }),
    );
    const kept = fieldsWithout(fieldsOfChangedBody(this.#head.fields), (name) => OF_ANOTHER_BODY.has(name));
    this.#head.fields = [
      ...kept,
      'Content-Type',
      'application/problem+json',
      'Content-Length',
      String(body.length),
    ];
    return body;
  }

  /** `reshape`: what each piece goes through first. */
  #sendHead(reshape: Transform | null): void {
    const exchange = this.#exchange;
    const { status } = this.#head;
    const hasBody = exchange.method !== 'HEAD' && status !== 204 && status !== 304;
    const compressed = this.#transform.compress?.(exchange, status, this.#head.fields, hasBody);
    let fields: readonly string[] = compressed?.fields ?? this.#head.fields;
    const chain = [hasBody ? reshape : null, compressed?.filter ?? null].filter((filter) => filter !== null);
    for (const edit of this.#transform.responseFields) fields = edit(exchange, fields);
    writeHead(exchange, status, [...fields]);
    this.#chain = chain;
    if (chain.length > 0) connect(exchange, chain);
  }
}

/** What would be wrong about the body that stands in for another. */
const OF_ANOTHER_BODY: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
  'etag',
  'last-modified',
]);

/** From one filter to the next and to the client, each waiting for the one behind it. */
function connect(exchange: Exchange, chain: readonly Transform[]): void {
  const { response } = exchange;
  for (const [index, filter] of chain.entries()) {
    // The head is out: a response that is cut off is not taken for a whole one.
    filter.on('error', () => response.destroy());
    const next = chain[index + 1];
    if (next !== undefined) filter.pipe(next);
  }
  const last = chain.at(-1);
  last?.on('data', (piece: Buffer) => {
    exchange.bytesOut += piece.length;
    if (response.write(piece) || response.destroyed) return;
    last.pause();
    response.once('drain', () => last.resume());
  });
  last?.on('end', () => response.end());
  response.once('close', () => {
    for (const filter of chain) filter.destroy();
  });
}

function resumeAttempt(this: unknown): void {
  (this as Exchange['response']).exchange?.attempt?.resume();
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
