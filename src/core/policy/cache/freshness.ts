/**
 * How long a response is fresh and how old it is (RFC 9111 §4.2), how long it may serve beyond that (RFC 5861).
 * Pure arithmetic on times that it is given, in epoch milliseconds.
 * @module
 */

import {
  parseResponseDirectives,
  parseTargetedDirectives,
  type ResponseDirectives,
} from './cache-control.ts';
import { parseHttpDate } from './http-date.ts';

/** What caching needs of a response. Fields that may have several lines are joined by `, `; '' when absent. */
export interface ResponseFacts {
  readonly status: number;
  readonly cacheControl: string;
  /** CDN-Cache-Control (RFC 9213). */
  readonly cdnCacheControl: string;
  readonly expires: string;
  readonly date: string;
  readonly age: string;
  readonly lastModified: string;
  readonly etag: string;
  readonly vary: string;
  readonly pragma: string;
  readonly hasSetCookie: boolean;
}

/** What the route's policy sets, milliseconds. */
export interface FreshnessLimits {
  /** Replaces what the response says about its lifetime; null: the response decides. */
  readonly ttlMs: number | null;
  /** Windows where the response names none. */
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** A tenth of the time since Last-Modified where the response says nothing (RFC 9111 §4.2.2). */
  readonly heuristic: boolean;
}

export interface Freshness {
  readonly directives: ResponseDirectives;
  /** The directives came from the targeted field. */
  readonly targeted: boolean;
  readonly lifetimeMs: number;
  /** The origin, not a guess, set the lifetime. */
  readonly explicit: boolean;
  /** Age when the response came in. */
  readonly initialAgeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** A stale response must never be used unvalidated. */
  readonly neverStale: boolean;
  readonly lastModifiedMs: number | undefined;
  readonly dateMs: number;
}

/** No guess exceeds a day. */
const MAX_HEURISTIC_MS = 86_400_000;
/** RFC 9110 §15.1: statuses that may be reused without explicit freshness. */
const HEURISTIC_STATUSES: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501,
]);

/** `requestMs`: when the request went out; `responseMs`: when the response head came in. */
export function freshnessOf(
  facts: ResponseFacts,
  limits: FreshnessLimits,
  requestMs: number,
  responseMs: number,
): Freshness {
  const targeted = facts.cdnCacheControl === '' ? null : parseTargetedDirectives(facts.cdnCacheControl);
  const directives = targeted ?? parseResponseDirectives(facts.cacheControl);
  const dateMs = parseHttpDate(facts.date, responseMs) ?? responseMs;
  const lastModifiedMs =
    facts.lastModified === '' ? undefined : parseHttpDate(facts.lastModified, responseMs);
  const explicitMs = explicitLifetimeMs(facts, directives, targeted !== null, dateMs, responseMs);
  const lifetimeMs =
    limits.ttlMs ??
    explicitMs ??
    (limits.heuristic ? heuristicMs(facts, directives, dateMs, lastModifiedMs) : 0);
  const neverStale =
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.noCache ||
    directives.sharedMaxAgeS !== null;
  const windowMs = (named: number | null, fallbackMs: number): number =>
    named === null ? fallbackMs : named * 1000;
  return {
    directives,
    targeted: targeted !== null,
    lifetimeMs,
    explicit: explicitMs !== null,
    initialAgeMs: initialAgeMs(facts.age, dateMs, requestMs, responseMs),
    staleWhileRevalidateMs: neverStale
      ? 0
      : windowMs(directives.staleWhileRevalidateS, limits.staleWhileRevalidateMs),
    staleIfErrorMs: neverStale ? 0 : windowMs(directives.staleIfErrorS, limits.staleIfErrorMs),
    neverStale,
    lastModifiedMs,
    dateMs,
  };
}

/** s-maxage, then max-age, then Expires; a targeted field speaks alone. Null when nothing is said. */
function explicitLifetimeMs(
  facts: ResponseFacts,
  directives: ResponseDirectives,
  targeted: boolean,
  dateMs: number,
  responseMs: number,
): number | null {
  const seconds = directives.sharedMaxAgeS ?? directives.maxAgeS;
  if (seconds !== null) return seconds * 1000;
  if (targeted || facts.expires === '') return null;
  const expiresMs = parseHttpDate(facts.expires, responseMs);
  return expiresMs === undefined ? 0 : Math.max(0, expiresMs - dateMs);
}

function heuristicMs(
  facts: ResponseFacts,
  directives: ResponseDirectives,
  dateMs: number,
  lastModifiedMs: number | undefined,
): number {
  if (lastModifiedMs === undefined || /\bno-cache\b/i.test(facts.pragma)) return 0;
  if (!directives.isPublic && !HEURISTIC_STATUSES.has(facts.status)) return 0;
  return Math.min(MAX_HEURISTIC_MS, Math.max(0, (dateMs - lastModifiedMs) / 10));
}

/** Whether a status may be kept without the origin saying how long. */
export function isHeuristicStatus(status: number): boolean {
  return HEURISTIC_STATUSES.has(status);
}

/** RFC 9111 §4.2.3. A repeated Age counts as its first member, a malformed one as absent (§5.1). */
function initialAgeMs(age: string, dateMs: number, requestMs: number, responseMs: number): number {
  const first = (age.split(',')[0] ?? '').trim();
  const ageMs = /^\d+$/.test(first) ? Number(first) * 1000 : 0;
  return Math.max(0, responseMs - dateMs, ageMs + (responseMs - requestMs));
}

/** Age now, of a response that came in at `responseMs`. */
export function currentAgeMs(freshness: Freshness, responseMs: number, nowMs: number): number {
  return freshness.initialAgeMs + Math.max(0, nowMs - responseMs);
}
