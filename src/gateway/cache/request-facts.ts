/**
 * What caching needs of a request: one pass over the fields that the upstream gets. Also swaps the client's
 * conditions in them for the cache's own.
 * @module
 */

import { parseRequestDirectives, type RequestDirectives } from '../../core/policy/cache/cache-control.ts';
import { type CallerField, plainName } from '../../core/policy/cache/caller-fields.ts';

export interface RequestFacts {
  readonly directives: RequestDirectives;
  /** '' when absent. */
  readonly range: string;
  readonly ifRange: string;
  readonly ifNoneMatch: string;
  readonly ifModifiedSince: string;
  /** Conditions that only the origin can judge. */
  readonly hasOriginCondition: boolean;
  /** A credential, or an identity that the gateway verified. */
  readonly authenticated: boolean;
  /** A cookie or another field by which the upstream may know the caller. */
  readonly identified: boolean;
  /** Scheme and authority, lower case, as the upstream is told them. */
  readonly origin: string;
}

/** What of a request says who asks. */
export interface CallerRules {
  /** Names of cookies that make no difference. */
  readonly ownCookies: ReadonlySet<string>;
  readonly callerFields: ReadonlyMap<string, CallerField>;
}

const NO_DIRECTIVES = parseRequestDirectives('');

/** `obey`: the directives of the client count. `verified`: the gateway knows the caller. */
export function requestFacts(
  fields: readonly string[],
  obey: boolean,
  { ownCookies, callerFields }: CallerRules,
  verified: boolean,
): RequestFacts {
  let cacheControl: string | null = null;
  let pragma = '';
  let range = '';
  let ifRange = '';
  let ifNoneMatch = '';
  let ifModifiedSince = '';
  let hasOriginCondition = false;
  let authenticated = verified;
  let identified = false;
  let scheme = '';
  let authority = '';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    const name = (fields[i] as string).toLowerCase();
    switch (name) {
      case 'cache-control':
        cacheControl = cacheControl === null ? value : `${cacheControl}, ${value}`;
        break;
      case 'pragma':
        pragma = value;
        break;
      case 'range':
        range = value;
        break;
      case 'if-range':
        ifRange = value;
        break;
      case 'if-none-match':
        ifNoneMatch = ifNoneMatch === '' ? value : `${ifNoneMatch}, ${value}`;
        break;
      case 'if-modified-since':
        ifModifiedSince = value;
        break;
      case 'if-match':
      case 'if-unmodified-since':
        hasOriginCondition = true;
        break;
      case 'cookie':
        identified ||= hasForeignCookie(value, ownCookies);
        break;
      case 'x-forwarded-proto':
        scheme = value;
        break;
      case 'x-forwarded-host':
        authority = value;
        break;
      default: {
        const kind = callerFields.get(plainName(name));
        if (kind === 'credential') authenticated = true;
        else if (kind === 'key') identified = true;
      }
    }
  }
  const text = cacheControl ?? (/\bno-cache\b/i.test(pragma) ? 'no-cache' : '');
  return {
    directives: obey && text !== '' ? parseRequestDirectives(text) : NO_DIRECTIVES,
    range,
    ifRange,
    ifNoneMatch,
    ifModifiedSince,
    hasOriginCondition,
    authenticated,
    identified,
    origin: `${scheme}://${authority}`.toLowerCase(),
  };
}

function hasForeignCookie(cookie: string, own: ReadonlySet<string>): boolean {
  return cookie.split(';').some((pair) => {
    const name = (pair.split('=')[0] ?? '').trim();
    return name !== '' && !own.has(name);
  });
}

/** `queryKey`: the query in its normal form. */
export function resourceKey(service: string, origin: string, path: string, queryKey: string): string {
  return `${service}\n${origin}${path}${queryKey}`;
}

/** All lines of a field joined by `, `; undefined when there is none. `name` in lower case. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const candidate = fields[i] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    found = found === undefined ? (fields[i + 1] as string) : `${found}, ${fields[i + 1]}`;
  }
  return found;
}

const CONDITIONS: ReadonlySet<string> = new Set(['if-none-match', 'if-modified-since', 'range', 'if-range']);

/** The fields with the client's conditions and range taken out and the cache's own put in ('': none). */
export function withConditions(fields: readonly string[], etag: string, lastModified: string): string[] {
  const changed: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!CONDITIONS.has((fields[i] as string).toLowerCase()))
      changed.push(fields[i] as string, fields[i + 1] as string);
  }
  if (etag !== '') changed.push('If-None-Match', etag);
  if (lastModified !== '') changed.push('If-Modified-Since', lastModified);
  return changed;
}
