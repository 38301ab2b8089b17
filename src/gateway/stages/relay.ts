/**
 * Passes the settled response on: fields filtered, pieces written as they come, back-pressure in both directions.
 * Knows the client's response and the attempt, no policies.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { KIND, mayBeNominated, responseKind } from '../field-kinds.ts';
import { startMirror } from '../mirror/mirror-run.ts';
import { ownFields } from '../own-fields.ts';
import type { RunningAttempt } from '../running.ts';
import { watchReader, watchRest } from '../slow-reader.ts';
import type { CompiledRoute } from '../snapshot.ts';
import { addTrailers } from '../trailers.ts';
import { fieldsWithout } from '../transform/field-list.ts';
import { sendHead } from '../transform/outgoing.ts';
import type { Attempt } from '../upstream/attempt.ts';

export function relay(exchange: Exchange): boolean {
  const { attempt, response, hold } = exchange;
  if (attempt === null) throw new Error('relay runs after attempt');
  if (response.destroyed && hold === null) return false;
  if (exchange.call !== null) {
    if (exchange.call.head(attempt)) return false;
    exchange.call = null;
  }
  const fields = exchange.cacheRun?.fields ?? responseFields(exchange, attempt);
  if (fields === undefined) {
    attempt.reject();
    return false;
  }
  hold?.head(attempt.status, fields.slice(ownFields(exchange).length));
  if (response.destroyed) return false;
  if (!writeHead(exchange, attempt.status, fields)) {
    attempt.reject();
    return false;
  }
  exchange.relaying = true;
  if (mayMirror(exchange.route)) exchange.mirror = startMirror(exchange);
  flushLater(exchange);
  return false;
}

function mayMirror(route: CompiledRoute | null): boolean {
  return route !== null && (route.mirror !== null || route.service.split.mirror !== null);
}

/** False when a field holds what Node refuses to send. */
function writeHead(exchange: Exchange, status: number, fields: string[]): boolean {
  try {
    sendHead(exchange, status, fields);
    return true;
  } catch {
    return false;
  }
}

/** Between two members of Link; a comma inside a target or parameter is not followed by `<`. */
const LINK_SEPARATOR = /,[ \t]*(?=<)/;

/**
 * Passes 102 and 103 on (RFC 9110 §15.2). 100 is between this hop and the upstream; other ones Node cannot send.
 * They are never stored, nor do their fields reach the response.
 */
export function relayInterim({ exchange }: Attempt, status: number, rawFields: readonly Buffer[]): void {
  const { request, response } = exchange;
  if (response.headersSent || response.destroyed || request.httpVersionMinor === 0) return;
  if (status === 102) response.writeProcessing();
  if (status !== 103) return;
  const hints: Record<string, string[]> = Object.create(null);
  for (let i = 0; i + 1 < rawFields.length; i += 2) {
    const name = (rawFields[i] as Buffer).toString('latin1').toLowerCase();
    if (responseKind(name) !== KIND.plain) continue;
    const value = (rawFields[i + 1] as Buffer).toString('latin1');
    // Node takes several links as a list only.
    const values = name === 'link' ? value.split(LINK_SEPARATOR) : [value];
    hints[name] = [...(hints[name] ?? []), ...values];
  }
  try {
    response.writeEarlyHints(hints);
  } catch {
    // Links that Node refuses: hints are only hints.
  }
}

export function relayPiece(attempt: Attempt, piece: Buffer): void {
  const { exchange } = attempt;
  const { response, hold } = exchange;
  hold?.piece(piece);
  if (exchange.recorded || response.destroyed) {
    exchange.cacheRun?.piece(piece, exchange.runtime.monotonicMs());
    // Only the idempotency key, or who waits for what it brings to the cache, keeps the attempt going.
    if (!isWantedWhole(exchange)) attempt.abandon();
    return;
  }
  exchange.mirror?.piece(piece);
  if (exchange.call !== null) {
    if (!exchange.call.piece(piece)) attempt.pause();
    return;
  }
  exchange.cacheRun?.piece(piece, exchange.runtime.monotonicMs());
  const { outgoing } = exchange;
  if (outgoing !== null) {
    if (!outgoing.write(piece) && !isWantedWhole(exchange)) attempt.pause();
    return;
  }
  exchange.bytesOut += piece.length;
  if (exchange.bytesOut === exchange.expectedBytes && !exchange.grpc) {
    // The last piece goes out together with the end, and the head when nothing went before: one write.
    response.end(piece);
  } else if (!response.write(piece) && !response.destroyed) {
    watchReader(exchange);
    // What an idempotency key keeps, or others wait for, is taken whole: a slow reader must not cost the answer.
    if (isWantedWhole(exchange)) return;
    attempt.pause();
    response.once('drain', resumeAttempt);
  }
}

export function relayEnd({ exchange, trailers }: Attempt): void {
  const { response } = exchange;
  exchange.hold?.end();
  exchange.mirror?.end();
  exchange.cacheRun?.complete();
  if (exchange.recorded || response.destroyed) return;
  if (exchange.call === null) addTrailers(exchange, trailers);
  if (exchange.call !== null) exchange.call.end(trailers);
  else if (exchange.outgoing !== null) exchange.outgoing.end();
  else if (!response.writableEnded) response.end();
  watchRest(exchange);
}

/** Somebody else than its client wants the response: whoever has its idempotency key, or waits for it in the cache. */
function isWantedWhole({ hold, cacheRun }: Exchange): boolean {
  return (hold !== null && !hold.settled) || cacheRun?.awaited === true;
}

function resumeAttempt(this: unknown): void {
  (this as Exchange['response']).exchange?.attempt?.resume();
}

/** The fields for the client, the gateway's own first. Undefined when the framing of the response cannot be trusted. */
export function responseFields(exchange: Exchange, attempt: RunningAttempt): string[] | undefined {
  const raw = attempt.rawFields ?? [];
  const fields: string[] = [];
  let connection = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString('latin1');
    const kind = responseKind(name);
    if (kind === KIND.plain) {
      fields.push(name, (raw[i + 1] as Buffer).toString('latin1'));
    } else if (kind === KIND.contentLength) {
      const value = (raw[i + 1] as Buffer).toString('latin1');
      if (exchange.expectedBytes >= 0) return undefined;
      exchange.expectedBytes = Number(value);
      if (attempt.status !== 204) fields.push(name, value);
    } else if (kind === KIND.connection) {
      connection += `,${(raw[i + 1] as Buffer).toString('latin1')}`;
    } else if (kind === KIND.transferEncoding) {
      if ((raw[i + 1] as Buffer).toString('latin1').toLowerCase() !== 'chunked') return undefined;
    }
  }
  // The upstream's Connection has no say in what the gateway adds.
  const own = ownFields(exchange);
  const theirs =
    connection === '' || connection === ',keep-alive' || connection === ',close'
      ? fields
      : withoutNominated(fields, connection);
  // Of two policies clients take the first or, joined to one, none (RFC 6797 §8.1).
  return own.concat(
    exchange.listener?.hsts == null ? theirs : fieldsWithout(theirs, (name) => name === HSTS),
  );
}

/** Fields that the upstream's Connection names are of its connection only; the ones that carry meaning stay. */
function withoutNominated(fields: readonly string[], connection: string): string[] {
  const nominated = new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((token) => token.trim()),
  );
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    const lower = name.toLowerCase();
    if (!nominated.has(lower) || !mayBeNominated(lower)) kept.push(name, fields[i + 1] as string);
  }
  return kept;
}

const HSTS = 'strict-transport-security';

/** Responses whose head is written but not sent: it waits for a first piece in the same read of the socket. */
let unflushed: Exchange[] = [];

function flushLater(exchange: Exchange): void {
  if (unflushed.length === 0) queueMicrotask(flushHeads);
  unflushed.push(exchange);
}

function flushHeads(): void {
  const waiting = unflushed;
  unflushed = [];
  for (const { response, bytesOut, outgoing } of waiting) {
    if (outgoing?.holdsBack === true) continue;
    if (bytesOut === 0 && !response.writableEnded && !response.destroyed) response.flushHeaders();
  }
}
