/**
 * Answers a client from a stored response: whole, a range of it, or "not modified". Knows HTTP semantics of the
 * answer; decides nothing about freshness.
 * @module
 */

import { rangeOf } from '../../core/policy/cache/byte-range.ts';
import { type CacheReport, formatCacheStatus } from '../../core/policy/cache/cache-status.ts';
import { currentAgeMs } from '../../core/policy/cache/freshness.ts';
import { mayServeOnError } from '../../core/policy/cache/reuse.ts';
import { ifRangeHolds, isNotModified } from '../../core/policy/cache/validation.ts';
import type { Exchange } from '../exchange.ts';
import { ownFields } from '../own-fields.ts';
import { watchRest } from '../slow-reader.ts';
import { sendWhole } from '../transform/outgoing.ts';
import type { CacheRun } from './cache-run.ts';
import type { StoredResponse } from './stored-response.ts';

/** What Cache-Status calls this cache. */
export const CACHE_NAME = 'sluice';

/** RFC 9110 §15.4.5: what a 304 repeats. */
const IN_NOT_MODIFIED: ReadonlySet<string> = new Set([
  'cache-control',
  'cdn-cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
]);

export function answerFromStored(
  exchange: Exchange,
  run: CacheRun,
  stored: StoredResponse,
  report: Omit<CacheReport, 'ttlS'>,
): void {
  const { response, runtime } = exchange;
  if (response.destroyed || response.writableEnded) return;
  const nowMs = runtime.clock.nowMs();
  const ageMs = currentAgeMs(stored.freshness, stored.responseMs, nowMs);
  const ttlS = Math.floor((stored.freshness.lifetimeMs - ageMs) / 1000);
  const own = ownFields(exchange);
  own.push('Age', String(Math.floor(ageMs / 1000)));
  own.push('Cache-Status', formatCacheStatus(CACHE_NAME, { ...report, ttlS }));
  const { status, fields, body } = selectPart(run, stored, nowMs);
  sendWhole(exchange, status, own.concat(fields), exchange.method === 'HEAD' ? EMPTY : body);
  watchRest(exchange);
}

/** Serves the stale response instead of an error, when there is one that may. True: answered. */
export function answerOnError(exchange: Exchange, status: number): boolean {
  const run = exchange.cacheRun;
  if (run?.stored == null || run.background || run.storedIsPurged || exchange.relaying) return false;
  const ageMs = currentAgeMs(run.stored.freshness, run.stored.responseMs, exchange.runtime.clock.nowMs());
  if (!mayServeOnError(run.stored.freshness, ageMs, run.facts.directives)) return false;
  const collapsed = run.outcome === 'collapsed';
  run.outcome = 'stale-on-error';
  const { stored } = run;
  run.release();
  answerFromStored(exchange, run, stored, {
    forwarded: 'stale',
    forwardStatus: status,
    stored: false,
    collapsed,
    detail: 'stale-if-error',
  });
  return true;
}

interface Part {
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: Buffer;
}

const EMPTY = Buffer.alloc(0);

function selectPart(run: CacheRun, stored: StoredResponse, nowMs: number): Part {
  const { facts } = run;
  const validators = {
    etag: stored.etag,
    lastModifiedMs: stored.freshness.lastModifiedMs,
    dateMs: stored.freshness.dateMs,
  };
  if (stored.status === 200 && isNotModified(facts, validators, nowMs)) {
    return { status: 304, fields: pick(stored.fields, (name) => IN_NOT_MODIFIED.has(name)), body: EMPTY };
  }
  if (facts.range === '' || stored.status !== 200) return stored;
  if (!ifRangeHolds(facts.ifRange, stored.etag, stored.lastModified)) return stored;
  const range = rangeOf(facts.range, stored.body.length);
  if (range.kind === 'whole') return stored;
  const rest = pick(stored.fields, (name) => name !== 'content-length' && name !== 'content-range');
  if (range.kind === 'unsatisfiable') {
    const unsatisfied = ['Content-Range', `bytes */${stored.body.length}`, 'Content-Length', '0'];
    return { status: 416, fields: unsatisfied, body: EMPTY };
  }
  const body = stored.body.subarray(range.first, range.last + 1);
  rest.push('Content-Range', `bytes ${range.first}-${range.last}/${stored.body.length}`);
  rest.push('Content-Length', String(body.length));
  return { status: 206, fields: rest, body };
}

function pick(fields: readonly string[], wanted: (name: string) => boolean): string[] {
  const picked: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (wanted((fields[i] as string).toLowerCase()))
      picked.push(fields[i] as string, fields[i + 1] as string);
  }
  return picked;
}
