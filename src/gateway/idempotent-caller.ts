/**
 * Whose idempotency key it is, and what else has to be the same for an answer to be given again. Knows the request,
 * not what is kept.
 * @module
 */

import { hash } from 'node:crypto';
import { callerFields, plainName } from '../core/policy/cache/caller-fields.ts';
import type { Exchange } from './exchange.ts';
import { compileLimitKey } from './limit-key.ts';
import { claimText } from './sticky.ts';

const addressOf = compileLimitKey(['ip'], '');
const CALLER_FIELDS = callerFields({ keys: [], copies: [], inKey: [] });

/**
 * The subject of the validated token; without one the address with all that the request shows to say who asks: a client
 * certificate, Authorization, keys. Nobody gets the answer to somebody else.
 */
export function callerOf(exchange: Exchange): string {
  const subject = claimText(exchange, 'sub');
  if (subject !== undefined) return `sub ${JSON.stringify([claimText(exchange, 'iss') ?? '', subject])}`;
  const shown: string[] = [];
  const { upstreamFields: fields } = exchange;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = plainName((fields[i] as string).toLowerCase());
    if (CALLER_FIELDS.has(name)) shown.push(`${name}: ${fields[i + 1]}`);
  }
  const address = addressOf(exchange);
  return shown.length === 0 ? address : `${address} ${hash('sha256', shown.sort().join('\n'))}`;
}

/**
 * A digest of what must not differ between a request and its repetition. Where no token says who asks, cookies are part of
 * it: they may, but as they also change by themselves, another one makes no caller of its own that could ask twice.
 */
export function fingerprintOf(exchange: Exchange, body: Buffer | null): string {
  const { query, request, claims } = exchange;
  const { 'content-type': type = '', 'content-encoding': coding = '', cookie = '' } = request.headers;
  const head = JSON.stringify([query, type, coding, claims === null ? cookie : '']);
  return hash('sha256', Buffer.concat([Buffer.from(`${head}\n`), body ?? Buffer.alloc(0)]));
}
