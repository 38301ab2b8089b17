/**
 * The way out: whatever a client gets (an upstream's response, a stored one, a replay, a problem document) is sent
 * here, through the filters of its route if that has any. Knows the client's response; nothing of where one came from.
 * @module
 */

import type { Transform } from 'node:stream';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import type { Exchange } from '../exchange.ts';
import { bufferOf } from '../kept-buffer.ts';
import { MAX_RAW_BYTES } from '../limits.ts';
import { replyProblem } from '../problem.ts';
import { watchReader } from '../slow-reader.ts';
import { noteChanged, notePassed, noteRefused } from './body-outcome.ts';
import { knownTrouble } from './body-plan.ts';
import type { Outcome } from './body-turns.ts';
import { BodyGatherer, openDecoder } from './content-coding.ts';
import { connectFilters, cutOff, leaveRest, runFirst } from './filter-chain.ts';
import { endWith } from './in-parts.ts';
import { mappedProblem } from './mapped-problem.ts';
import { filtersOf, sendOwn, writeHead } from './own-response.ts';
import type { BodyPlan, CompiledTransform, OutgoingResponse } from './transform-model.ts';
import { troubleOfFilter, UnreadableBody } from './unreadable-body.ts';

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
  /** Nothing has been sent, though the response has begun. */
  #holds = false;
  /** Takes the body while it is gathered to be reshaped. */
  #gatherer: BodyGatherer | null = null;
  /** The body as it came, in case that it has to pass like that. */
  #raw: KeptBytes | null = null;
  /** A body of the gateway's own, sent instead of what comes once that is over. */
  #replacement: Buffer | null = null;
  #chain: readonly Transform[] = [];
  #ended = false;

  constructor(exchange: Exchange, transform: CompiledTransform, head: OutgoingHead) {
    this.#exchange = exchange;
    this.#transform = transform;
    this.#head = head;
  }

  get holdsBack(): boolean {
    return this.#holds || this.#replacement !== null;
  }

  /** Throws when Node refuses a field. */
  begin(): void {
    const { status, fields } = this.#head;
    const mapped = this.#transform.status?.get(status);
    if (mapped !== undefined) {
      this.#head.status = mapped.to;
      this.#exchange.note('upstream_status', String(status));
      if (mapped.problem !== null) {
        const { fields: kept, body } = mappedProblem(this.#exchange, fields, mapped.to, mapped.problem);
        this.#head.fields = kept;
        this.#replacement = body;
        return;
      }
    }
    const plan = this.#transform.responseBody?.plan(this.#exchange, fields, status) ?? null;
    const trouble = plan === null ? null : knownTrouble(plan, fields);
    if (plan === null || (trouble !== null && !plan.refuses)) {
      if (trouble !== null) notePassed(this.#exchange, 'response', trouble);
      this.#sendHead([]);
    } else if (trouble !== null) {
      this.#refuse(trouble);
    } else if (this.#exchange.method === 'HEAD' || (plan.map === null && plan.open === null)) {
      this.#head.fields = plan.fields(fields);
      this.#sendHead([]);
    } else if (plan.open !== null) {
      this.#stream(plan, plan.open());
    } else {
      this.#gather(plan);
    }
  }

  /** False: not before the client has taken some of it; the attempt is then resumed. */
  write(piece: Buffer): boolean {
    const { response } = this.#exchange;
    if (this.#replacement !== null || response.writableEnded || response.destroyed) return true;
    if (this.#gatherer === null) {
      this.#keepRaw(piece);
      return this.#pass(piece);
    }
    this.#raw?.add(piece);
    // What is over its limit may be passed on within this call, the piece with it.
    return this.#gatherer.write(piece, () => this.#exchange.attempt?.resume());
  }

  end(): void {
    const { response } = this.#exchange;
    this.#ended = true;
    if (response.writableEnded || response.destroyed) return;
    if (this.#replacement !== null) {
      sendOwn(this.#exchange, this.#head.status, this.#head.fields, this.#replacement);
    } else if (this.#gatherer !== null) {
      this.#gatherer.end();
    } else {
      this.#finish(null);
    }
  }

  endWith(rest: Buffer): void {
    if (this.#replacement === null && this.#gatherer === null && this.#chain.length === 0) {
      this.#finish(rest);
      return;
    }
    if (rest.length > 0) this.write(rest);
    this.end();
  }

  /** `rest`: a body that is here as a whole. */
  #finish(rest: Buffer | null): void {
    const [first] = this.#chain;
    if (first !== undefined) first.end(rest);
    else if (rest !== null) endWith(this.#exchange, rest);
    else this.#exchange.response.end();
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
    watchReader(this.#exchange);
    response.once('drain', resumeAttempt);
    return false;
  }

  /** The head waits for the first piece that can be sent: until then the client can be told that there is none. */
  #stream(plan: BodyPlan, reshaping: Transform): void {
    const filters = plan.coding === null ? [reshaping] : [openDecoder(plan.coding), reshaping];
    this.#holds = true;
    this.#raw = plan.refuses ? null : new KeptBytes();
    this.#chain = filters;
    reshaping.once('end', () => noteChanged(this.#exchange, 'response', plan.change));
    runFirst(this.#exchange, filters, {
      ready: () =>
        this.#guarded(() => {
          this.#raw = null;
          this.#head.fields = plan.fields(this.#head.fields);
          this.#sendHead(filters);
        }),
      failed: (error) => {
        const trouble = troubleOfFilter(error, plan.coding);
        if (this.#holds) this.#guarded(() => this.#giveUp(plan, trouble));
        else cutOff(this.#exchange, trouble);
      },
    });
  }

  #keepRaw(piece: Buffer): void {
    this.#raw?.add(piece);
    if (this.#raw !== null && this.#raw.length > MAX_RAW_BYTES) this.#raw = null;
  }

  #gather(plan: BodyPlan): void {
    this.#holds = true;
    this.#raw = plan.refuses ? null : new KeptBytes();
    const gatherer = new BodyGatherer(
      plan.coding,
      plan.maxBytes,
      (body) => this.#guarded(() => this.#reshape(plan, body)),
      (trouble) => this.#guarded(() => this.#giveUp(plan, trouble)),
    );
    this.#gatherer = gatherer;
    this.#exchange.response.once('close', () => gatherer.close());
  }

  /** What runs when zlib calls has nobody above who would catch. */
  #guarded(work: () => void): void {
    const { response } = this.#exchange;
    if (response.destroyed || response.writableEnded) return;
    try {
      work();
    } catch {
      // Node refuses a field of the head.
      this.#refuse(null);
    }
  }

  #reshape(plan: BodyPlan, body: Buffer): void {
    if (plan.map === null || body.length === 0) {
      this.#sendReshaped(plan, body);
      return;
    }
    const { runtime, response } = this.#exchange;
    const outcome = runtime.bodyTurns.run(plan.map(body), response, (later) =>
      this.#guarded(() => this.#settle(plan, later)),
    );
    if (outcome !== null) this.#settle(plan, outcome);
  }

  #settle(plan: BodyPlan, outcome: Outcome<Buffer>): void {
    if ('value' in outcome) {
      noteChanged(this.#exchange, 'response', plan.change);
      this.#sendReshaped(plan, outcome.value);
      return;
    }
    if (!(outcome.error instanceof UnreadableBody)) throw outcome.error;
    this.#giveUp(plan, outcome.error);
  }

  #sendReshaped(plan: BodyPlan, body: Buffer): void {
    this.#head.fields = [...plan.fields(this.#head.fields), 'Content-Length', String(body.length)];
    this.#sendHead([]);
    this.#gatherer = null;
    this.#finish(body);
  }

  /** It is refused, or goes on as it came. */
  #giveUp(plan: BodyPlan, trouble: UnreadableBody): void {
    const raw = this.#raw;
    if (plan.refuses || raw === null) {
      this.#refuse(trouble);
      return;
    }
    notePassed(this.#exchange, 'response', trouble);
    this.#sendHead([]);
    this.#gatherer = null;
    this.#raw = null;
    for (const piece of raw.parts) this.#pass(bufferOf(piece));
    if (this.#ended) this.#finish(null);
    else this.#exchange.attempt?.resume();
  }

  /** Nothing has been sent: the client gets a problem document, and the rest of the answer is not read. */
  #refuse(trouble: UnreadableBody | null): void {
    const exchange = this.#exchange;
    if (trouble !== null) noteRefused(exchange, 'response', trouble);
    this.#holds = true;
    replyProblem(exchange, 'RESPONSE_UNREADABLE', '');
    this.#holds = false;
    this.#gatherer?.close();
    this.#gatherer = null;
    leaveRest(exchange);
  }

  /** `reshaping`: what each piece goes through first; runs already. */
  #sendHead(reshaping: readonly Transform[]): void {
    const exchange = this.#exchange;
    const { status } = this.#head;
    const hasBody = exchange.method !== 'HEAD' && status !== 204 && status !== 304;
    const compressed = this.#transform.compress?.(exchange, status, this.#head.fields, hasBody);
    let fields: readonly string[] = compressed?.fields ?? this.#head.fields;
    for (const edit of this.#transform.responseFields) fields = edit(exchange, fields);
    writeHead(exchange, status, [...fields]);
    this.#holds = false;
    const packing = compressed?.filter ?? null;
    const rest = packing === null ? [] : [packing];
    this.#chain = [...reshaping, ...rest];
    if (this.#chain.length > 0) connectFilters(exchange, [...reshaping.slice(-1), ...rest]);
  }
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
  const { outgoing } = exchange;
  if (outgoing === null) endWith(exchange, body);
  else outgoing.endWith(body);
}
