/**
 * Whether a failed attempt is tried again, and after how long. Knows neither sockets nor which endpoint is next.
 * @module
 */

/** How an attempt got no response. */
export type AttemptBreak = 'connect' | 'reset' | 'timeout';
/** Statuses that a route may try again. */
export type RetryStatus = '429' | '500' | '502' | '503' | '504';
/** How an attempt failed, as far as retries tell failures apart. */
export type AttemptFailure = AttemptBreak | RetryStatus;

/** Limits of one route; see `retry` in the gateway's configuration. */
export interface RetryLimits {
  /** Further tries after the first. */
  readonly attempts: number;
  readonly on: readonly AttemptFailure[];
  /** Upper bound of the first backoff, milliseconds; doubles with each further one. */
  readonly baseMs: number;
  /** No backoff is longer, milliseconds. */
  readonly maxMs: number;
  /** Only when the first attempt took less than this to fail, milliseconds. Left out: however long it took. */
  readonly onlyIfFirstAttemptUnderMs?: number;
}

export interface RetryFacts {
  /** Upper case. */
  readonly method: string;
  /** An idempotency key is held: the method does not matter. */
  readonly idempotent: boolean;
  readonly failure: AttemptFailure;
  /** Retries made so far; a hedged attempt is none. */
  readonly retriesMade: number;
  /** Since the first attempt began, milliseconds. */
  readonly sinceFirstMs: number;
  /** The request has no body, or all that was sent of it can be sent again. */
  readonly replayable: boolean;
  /** A byte of the response has gone to the client. */
  readonly responseStarted: boolean;
  /** Until the total deadline of the request, milliseconds. */
  readonly remainingMs: number;
}

/** RFC 9110 §9.2.2, without TRACE, which a gateway has no business repeating. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** `method` in upper case. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/**
 * Milliseconds to wait before the next attempt, or null when there must be none. Full jitter: uniform in
 * [0, min(maxMs, baseMs · 2^n)) for the n-th retry from 0. `random` is uniform in [0, 1).
 */
export function retryDelayMs(limits: RetryLimits, facts: RetryFacts, random: number): number | null {
  if (facts.responseStarted || !facts.replayable) return null;
  if (facts.retriesMade >= limits.attempts) return null;
  const { onlyIfFirstAttemptUnderMs: quickMs } = limits;
  if (quickMs !== undefined && facts.retriesMade === 0 && facts.sinceFirstMs >= quickMs) return null;
  if (!facts.idempotent && !isIdempotent(facts.method)) return null;
  if (!limits.on.includes(facts.failure)) return null;
  const ceilingMs = Math.min(limits.maxMs, limits.baseMs * 2 ** facts.retriesMade);
  const delayMs = random * ceilingMs;
  return delayMs < facts.remainingMs ? delayMs : null;
}
