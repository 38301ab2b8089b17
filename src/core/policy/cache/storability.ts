/**
 * Whether a shared cache may keep a response (RFC 9111 §3), and whether a route's own lifetime may apply to it.
 * Every doubt ends in "no", with the reason.
 * @module
 */

import { type Freshness, isHeuristicStatus, type ResponseFacts } from './freshness.ts';
import { isSetCookie, keepsCookies, type SetCookieRule } from './set-cookie.ts';

export interface StoreRequestFacts {
  /** Upper case. */
  readonly method: string;
  /** Authorization, a client certificate, or an identity that the gateway verified. */
  readonly authenticated: boolean;
  /** A cookie, a key, or another field by which the upstream may know the caller. */
  readonly identified: boolean;
  /** `Cache-Control: no-store` of the request. */
  readonly noStore: boolean;
}

export type StoreVerdict =
  | 'store'
  | 'method'
  | 'status'
  | 'no-store'
  | 'private'
  | 'authorization'
  | 'vary'
  | 'cookie'
  | 'identified'
  | 'not-cacheable'
  | 'useless';

/** Statuses whose caching rules this cache knows, for `must-understand`. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414,
  415, 421, 422, 429, 431, 451, 500, 501, 502, 503, 504,
]);

export interface StoreRules {
  /** The lifetime is the route's. */
  readonly overridden: boolean;
  readonly setCookie: SetCookieRule;
}

/**
 * By the route's lifetime, and by a guess, nothing that could be one caller's own is kept: no Set-Cookie, no answer to a request with a cookie, a key, a credential or a verified identity.
 */
export function storeVerdict(
  request: StoreRequestFacts,
  facts: ResponseFacts,
  freshness: Freshness,
  { overridden, setCookie }: StoreRules,
): StoreVerdict {
  const { directives } = freshness;
  const { status } = facts;
  if (request.method !== 'GET') return 'method';
  // Partial content is never kept as the whole; 304 only updates what is there.
  if (status < 200 || status === 206 || status === 304) return 'status';
  if (directives.mustUnderstand && !UNDERSTOOD.has(status)) return 'status';
  if (request.noStore || (directives.noStore && !directives.mustUnderstand)) return 'no-store';
  if (directives.isPrivate) return 'private';
  if (variesByEverything(facts.vary)) return 'vary';
  const shared = directives.isPublic || directives.mustRevalidate || directives.sharedMaxAgeS !== null;
  if (request.authenticated && (overridden || !shared)) return 'authorization';
  const chosenByOrigin = freshness.explicit && !overridden;
  const cookies = facts.hasSetCookie && setCookie !== 'strip' && !withholdsCookies(freshness);
  if (cookies && !(chosenByOrigin && keepsCookies(setCookie, freshness))) return 'cookie';
  if (!chosenByOrigin) {
    if (request.identified && !directives.isPublic) return 'identified';
    if (overridden && !isHeuristicStatus(status)) return 'status';
    if (!directives.isPublic && !isHeuristicStatus(status)) return 'not-cacheable';
  }
  const validator = facts.etag !== '' || freshness.lastModifiedMs !== undefined;
  const mayBeFresh = !directives.noCache && freshness.lifetimeMs > freshness.initialAgeMs;
  const mayBeStale = freshness.explicit && freshness.staleIfErrorMs + freshness.staleWhileRevalidateMs > 0;
  return validator || mayBeFresh || mayBeStale ? 'store' : 'useless';
}

/** `private="set-cookie"` and `no-cache="set-cookie"`. */
function withholdsCookies({ directives }: Freshness): boolean {
  return directives.withheldFields.some(isSetCookie);
}

/** `Vary: *`, wherever in the list. */
export function variesByEverything(vary: string): boolean {
  return vary.includes('*') && vary.split(',').some((name) => name.trim() === '*');
}
