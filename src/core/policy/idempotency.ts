/**
 * Which requests an idempotency key protects, what a key may look like, and which answers are worth keeping
 * (IETF draft "The Idempotency-Key HTTP header field"). Knows neither stores nor sockets.
 * @module
 */

/** A structured-field string, or the bare word that most clients send. */
const QUOTED = /^"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"$/;
const BARE = /^[\w.:~+/=@-]{1,255}$/;

/** The key, or undefined when the field does not hold one. */
export function parseIdempotencyKey(field: string): string | undefined {
  return QUOTED.exec(field)?.[1] ?? (BARE.test(field) ? field : undefined);
}

/** The other methods are idempotent by themselves (RFC 9110 §9.2.2). */
export function takesIdempotencyKey(method: string): boolean {
  return method === 'POST' || method === 'PATCH';
}

/**
 * Statuses that say that the request was not carried out, or that nobody knows: what is tried again with the same key should be
 * tried indeed. Everything else an upstream says is its answer, errors too.
 */
const NOT_KEPT: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

export function isAnswerKept(status: number): boolean {
  return !NOT_KEPT.has(status);
}
