/**
 * The generic cell rate algorithm: a rate with a burst from one number per key, with the exact time to wait.
 * Knows no keys and no clock; times are whole microseconds, so that many additions lose nothing.
 * @module
 */

/** At least one. */
export interface RateLimit {
  /** Microseconds between two requests at the rate. */
  readonly intervalUs: number;
  /** Requests that may come at once. */
  readonly burst: number;
}

export interface RateDecision {
  readonly allowed: boolean;
  /** What to remember of the key: when it would be idle again. Unchanged by a refusal. */
  readonly idleAtUs: number;
  /** Requests that would be allowed at once after this one. */
  readonly remaining: number;
  /** Until the next request is allowed; 0 when this one was. */
  readonly retryAfterUs: number;
  /** Until the whole burst is there again. */
  readonly resetUs: number;
}

/** `count` requests per `periodMs`. Rounded so that the rate is never exceeded. */
export function rateLimitOf(count: number, periodMs: number, burst: number): RateLimit {
  return { intervalUs: Math.max(1, Math.ceil((periodMs * 1000) / count)), burst };
}

/**
 * One request at `nowUs` of a key that is idle from `idleAtUs` on (0: never seen). In any time t no more than
 * burst + t / interval requests are allowed. A clock that went back, or a limit that was made smaller, costs a
 * key no more than one burst of waiting.
 */
export function decideRate(limit: RateLimit, idleAtUs: number, nowUs: number): RateDecision {
  const { intervalUs, burst } = limit;
  const fullUs = intervalUs * burst;
  const from = Math.min(Math.max(idleAtUs, nowUs), nowUs + fullUs);
  const next = from + intervalUs;
  const allowed = next - nowUs <= fullUs;
  const kept = allowed ? next : from;
  return {
    allowed,
    idleAtUs: kept,
    remaining: Math.floor((fullUs - (kept - nowUs)) / intervalUs),
    retryAfterUs: allowed ? 0 : next - fullUs - nowUs,
    resetUs: kept - nowUs,
  };
}
