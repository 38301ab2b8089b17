/**
 * Heads of responses, and whole responses of the gateway's own: its fields are edited like any other's, its body is
 * not reshaped. Knows no upstream.
 * @module
 */

import { STATUS_CODES } from 'node:http';
import type { Exchange } from '../exchange.ts';
import { watchRest } from '../slow-reader.ts';
import { withoutSharedCookie } from '../sticky-cookie.ts';
import type { CompiledTransform, ProblemBody } from './transform-model.ts';

export function writeHead(exchange: Exchange, status: number, fields: string[]): void {
  const { response, runtime } = exchange;
  if (runtime.draining) response.shouldKeepAlive = false;
  // The standard phrase, because the upstream's may be as odd as a field.
  response.writeHead(status, STATUS_CODES[status] ?? '', withoutSharedCookie(exchange, status, fields));
}

/** The filters of the route; none for a response that goes nowhere. */
export function filtersOf(exchange: Exchange): CompiledTransform | null {
  const transform = exchange.route?.transform ?? null;
  return transform === null || exchange.cacheRun?.background === true ? null : transform;
}

/** A problem document (RFC 9457) in the form that the client takes on this route. */
export function problemBody(exchange: Exchange, json: string): ProblemBody {
  const inForm = filtersOf(exchange)?.problem ?? null;
  return inForm === null
    ? { type: 'application/problem+json', body: Buffer.from(json) }
    : inForm(exchange, json);
}

/** Sends what the gateway itself says: its fields are edited like any other's, its body is not. */
export function sendOwn(exchange: Exchange, status: number, fields: string[], body: Buffer): void {
  const transform = filtersOf(exchange);
  let edited = fields;
  for (const edit of transform?.responseFields ?? []) edited = edit(exchange, edited);
  exchange.bytesOut = exchange.method === 'HEAD' ? 0 : body.length;
  writeHead(exchange, status, edited);
  exchange.response.end(body);
  watchRest(exchange);
}
