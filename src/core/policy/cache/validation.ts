/**
 * Validators (RFC 9110 §8.8, §13): comparing entity tags, answering a client's conditions from a stored response,
 * and freshening stored fields by a 304 (RFC 9111 §3.2, §4.3.4).
 * @module
 */

import { parseHttpDate } from './http-date.ts';

/** Weak comparison of every member of If-None-Match with the stored tag. */
export function noneMatchHits(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true;
  if (etag === '') return false;
  const opaque = etag.replace(/^W\//, '');
  for (const match of ifNoneMatch.matchAll(/(?:W\/)?("[^"]*")|([^\s,]+)/g)) {
    if ((match[1] ?? match[2]) === opaque) return true;
  }
  return false;
}

export interface Conditions {
  /** '' when absent. */
  readonly ifNoneMatch: string;
  readonly ifModifiedSince: string;
}

export interface StoredValidators {
  readonly etag: string;
  readonly lastModifiedMs: number | undefined;
  /** Stands in for a missing Last-Modified (RFC 9111 §4.3.2). */
  readonly dateMs: number;
}

/** Whether the client's copy is still the stored one, so that 304 answers it. */
export function isNotModified(conditions: Conditions, stored: StoredValidators, nowMs: number): boolean {
  if (conditions.ifNoneMatch !== '') return noneMatchHits(conditions.ifNoneMatch, stored.etag);
  if (conditions.ifModifiedSince === '') return false;
  const sinceMs = parseHttpDate(conditions.ifModifiedSince, nowMs);
  return sinceMs !== undefined && (stored.lastModifiedMs ?? stored.dateMs) <= sinceMs;
}

/** If-Range (RFC 9110 §13.1.5): a strong tag that is the stored one, or exactly its Last-Modified. */
export function ifRangeHolds(ifRange: string, etag: string, lastModified: string): boolean {
  if (ifRange === '') return true;
  if (ifRange.startsWith('"')) return ifRange === etag;
  return !ifRange.startsWith('W/') && ifRange !== '' && ifRange === lastModified;
}

/** Fields that describe the stored bytes, or the message that brought them: a 304 never changes these. */
const KEPT: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-md5',
  'etag',
  'transfer-encoding',
]);

/**
 * Stored fields (name, value …) with those of a 304 over them: a name that the 304 has replaces all stored lines of
 * that name.
 */
export function freshenedFields(stored: readonly string[], update: readonly string[]): string[] {
  const replaced = new Set<string>();
  const added: string[] = [];
  for (let i = 0; i + 1 < update.length; i += 2) {
    const name = (update[i] as string).toLowerCase();
    if (KEPT.has(name)) continue;
    replaced.add(name);
    added.push(update[i] as string, update[i + 1] as string);
  }
  const fields: string[] = [];
  for (let i = 0; i + 1 < stored.length; i += 2) {
    if (!replaced.has((stored[i] as string).toLowerCase()))
      fields.push(stored[i] as string, stored[i + 1] as string);
  }
  fields.push(...added);
  return fields;
}
