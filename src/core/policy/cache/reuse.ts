/**
 * What to do with a stored response for a request (RFC 9111 §4): use it, use it and renew it, validate it, or go
 * without. Knows times and directives, not where responses are kept.
 * @module
 */

import type { RequestDirectives } from './cache-control.ts';
import type { Freshness } from './freshness.ts';

export type Reuse =
  | 'fresh'
  /** Stale, but the request asked for that (`max-stale`). */
  | 'stale-allowed'
  /** Stale within its window: use it, and renew it meanwhile. */
  | 'stale-while-revalidate'
  | 'validate';

/** `ageMs`: of the stored response, now. */
export function reuseOf(freshness: Freshness, ageMs: number, request: RequestDirectives): Reuse {
  if (request.noCache || freshness.directives.noCache) return 'validate';
  const leftMs = freshness.lifetimeMs - ageMs;
  const tooOld = request.maxAgeS !== null && ageMs > request.maxAgeS * 1000;
  const maxStaleMs = request.maxStaleS === null || freshness.neverStale ? 0 : request.maxStaleS * 1000;
  if (tooOld) return 'validate';
  if (leftMs > (request.minFreshS ?? 0) * 1000) return 'fresh';
  if (request.minFreshS !== null && leftMs > 0) return 'validate';
  if (-leftMs < maxStaleMs) return 'stale-allowed';
  return -leftMs < freshness.staleWhileRevalidateMs && request.maxAgeS === null
    ? 'stale-while-revalidate'
    : 'validate';
}

/** Whether the response could ever answer another request without asking whether it still holds. */
export function isSharable({
  directives,
  lifetimeMs,
  staleWhileRevalidateMs,
  initialAgeMs,
}: Freshness): boolean {
  return !directives.noCache && lifetimeMs + staleWhileRevalidateMs > initialAgeMs;
}

/** Whether the stored response may stand in for an attempt that failed. */
export function mayServeOnError(freshness: Freshness, ageMs: number, request: RequestDirectives): boolean {
  if (request.noCache || freshness.neverStale) return false;
  return ageMs - freshness.lifetimeMs < freshness.staleIfErrorMs;
}
