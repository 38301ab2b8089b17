/**
 * A response as the cache keeps it: made from a finished one, or from a kept one and the 304 that confirmed it.
 * Immutable; knows neither store nor sockets.
 * @module
 */

import {
  type Freshness,
  type FreshnessLimits,
  freshnessOf,
  type ResponseFacts,
} from '../../core/policy/cache/freshness.ts';
import { isSetCookie, type SetCookieRule } from '../../core/policy/cache/set-cookie.ts';
import { freshenedFields } from '../../core/policy/cache/validation.ts';
import { varyKey, varyNames } from '../../core/policy/cache/vary.ts';

/** By which policy it is kept: what decides about its life. */
export interface StoredTerms extends FreshnessLimits {
  readonly setCookie: SetCookieRule;
  readonly tags: string | null;
  /** It is kept by the route's lifetime, not by its own word. */
  readonly overridden: boolean;
}

export interface StoredResponse {
  /** What unsafe requests invalidate: service, scheme, authority, path and query. */
  readonly resource: string;
  /** The route's form of a query, as in `resource`. */
  readonly queryKey: (query: string) => string;
  /** Version, and the values of the fields that the route adds to the key. */
  readonly selector: string;
  readonly vary: readonly string[];
  readonly varyKey: string;
  readonly status: number;
  /** Name, value, name, value …; with Content-Length and Date, without Age. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** When its head came in, epoch milliseconds. */
  readonly responseMs: number;
  readonly freshness: Freshness;
  readonly terms: StoredTerms;
  readonly etag: string;
  readonly lastModified: string;
  /** Lower case. */
  readonly tags: readonly string[];
  /** What it takes of the budget. */
  readonly bytes: number;
}

export interface StoredKey {
  readonly resource: string;
  readonly selector: string;
}

/** Objects, maps and strings around a response, roughly. */
const OVERHEAD_BYTES = 1_024;
/** These are of the connection, of this hop, or computed anew for each use. */
const NOT_STORED: ReadonlySet<string> = new Set([
  'age',
  'content-length',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
]);

/** Reads what caching needs of `fields`, from index `from` on. */
export function responseFacts(status: number, fields: readonly string[], from: number): ResponseFacts {
  const found: Record<string, string> = {};
  let hasSetCookie = false;
  for (let i = from; i + 1 < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    if (isSetCookie(name)) hasSetCookie = true;
    if (!READ.has(name)) continue;
    const before = found[name];
    found[name] = before === undefined ? (fields[i + 1] as string) : `${before}, ${fields[i + 1]}`;
  }
  return {
    status,
    cacheControl: found['cache-control'] ?? '',
    cdnCacheControl: found['cdn-cache-control'] ?? '',
    expires: found.expires ?? '',
    date: found.date ?? '',
    age: found.age ?? '',
    lastModified: found['last-modified'] ?? '',
    etag: found.etag ?? '',
    vary: found.vary ?? '',
    pragma: found.pragma ?? '',
    hasSetCookie,
  };
}

const READ: ReadonlySet<string> = new Set([
  'cache-control',
  'cdn-cache-control',
  'expires',
  'date',
  'age',
  'last-modified',
  'etag',
  'vary',
  'pragma',
]);

export interface ResponseHead {
  readonly facts: ResponseFacts;
  readonly freshness: Freshness;
  readonly terms: StoredTerms;
  readonly tags: readonly string[];
  readonly responseMs: number;
  /** As the client gets them, without the gateway's own. */
  readonly fields: readonly string[];
}

/** `readRequest` gives a field of the request that the response answered. */
export function storedResponse(
  { resource, selector, queryKey }: StoredKey & Pick<StoredResponse, 'queryKey'>,
  head: ResponseHead,
  body: Buffer,
  readRequest: (name: string) => string | undefined,
): StoredResponse {
  const { facts, freshness, terms, tags, responseMs } = head;
  const withheld = new Set(freshness.directives.withheldFields);
  const fields: string[] = [];
  for (let i = 0; i + 1 < head.fields.length; i += 2) {
    const name = (head.fields[i] as string).toLowerCase();
    if (!NOT_STORED.has(name) && !withheld.has(name))
      fields.push(head.fields[i] as string, head.fields[i + 1] as string);
  }
  if (facts.date === '') fields.push('Date', new Date(responseMs).toUTCString());
  if (facts.status !== 204) fields.push('Content-Length', String(body.length));
  const vary = varyNames(facts.vary);
  let bytes = OVERHEAD_BYTES + body.length;
  for (const text of fields) bytes += text.length;
  return {
    resource,
    selector,
    queryKey,
    vary,
    varyKey: varyKey(vary, readRequest),
    status: facts.status,
    fields,
    body,
    responseMs,
    freshness,
    terms,
    etag: facts.etag,
    lastModified: facts.lastModified,
    tags,
    bytes: bytes + resource.length + selector.length,
  };
}

/** The stored response with what a 304 said over it. `update` without the gateway's own fields. */
export function freshenedResponse(
  stored: StoredResponse,
  update: readonly string[],
  limits: FreshnessLimits,
  requestMs: number,
  responseMs: number,
  tags: readonly string[],
): StoredResponse {
  const fields = freshenedFields(stored.fields, update);
  // Age is not stored, so the one that counts is the update's.
  const facts = {
    ...responseFacts(stored.status, fields, 0),
    age: responseFacts(304, update, 0).age,
  };
  const freshness = freshnessOf(facts, limits, requestMs, responseMs);
  const withheld = new Set(['age', ...freshness.directives.withheldFields]);
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!withheld.has((fields[i] as string).toLowerCase()))
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  let bytes = OVERHEAD_BYTES + stored.body.length + stored.resource.length + stored.selector.length;
  for (const text of kept) bytes += text.length;
  return { ...stored, fields: kept, responseMs, freshness, lastModified: facts.lastModified, tags, bytes };
}
