/**
 * The circuit breaker: trips on the share of failed or slow attempts in a rolling window, refuses while open, then
 * lets a rising share through to see whether the upstream is well again. Knows no requests; time and chance are told.
 * @module
 */

/** Shares are 0–1, times milliseconds. At least one of `errorShare` and `slow` is set. */
export interface BreakerLimits {
  readonly errorShare: number | null;
  readonly slow: { readonly overMs: number; readonly share: number } | null;
  readonly windowMs: number;
  /** Attempts in the window below which it never trips. */
  readonly minimum: number;
  /** Everything is refused for this long. */
  readonly openMs: number;
  /** Then the admitted share rises from nothing to all over this time. */
  readonly recoverMs: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/** How an attempt ended, for the breaker. `neutral` says nothing about the upstream: the client went away. */
export type BreakerOutcome = 'ok' | 'failed' | 'neutral' | 'client-error';

const BUCKETS = 10;
/** Probes that must have been judged before a half-open breaker opens again for their share of failures. */
const MIN_PROBES = 5;
/** What {@link Breaker.admit} returns for a refused attempt. */
export const REFUSED = -1;

export class Breaker {
  readonly limits: BreakerLimits;
  state: BreakerState = 'closed';
  /** Times that it tripped, first openings and relapses alike. */
  trips = 0;
  /** Attempts that it refused. */
  refusals = 0;
  readonly #bucketMs: number;
  readonly #totals = new Float64Array(BUCKETS);
  readonly #failures = new Float64Array(BUCKETS);
  readonly #slows = new Float64Array(BUCKETS);
  #bucket = 0;
  #total = 0;
  #failed = 0;
  #slow = 0;
  /** Grows with every change of state; outcomes of attempts from before it say nothing about now. */
  #era = 0;
  #sinceMs = 0;
  /** Half-open: admitted and not over; answered well or with a client error. */
  #probing = 0;
  #answered = 0;

  constructor(limits: BreakerLimits) {
    this.limits = limits;
    this.#bucketMs = limits.windowMs / BUCKETS;
  }

  /** A ticket to give back with {@link settle}, or {@link REFUSED}. `random` is uniform in [0, 1). */
  admit(nowMs: number, random: number): number {
    if (this.state === 'closed') return this.#era;
    this.#wake(nowMs);
    if (this.state === 'half-open' && this.#admitsProbe(nowMs, random)) {
      this.#probing += 1;
      return this.#era;
    }
    this.refusals += 1;
    return REFUSED;
  }

  /** True while every attempt would be refused. */
  isOpen(nowMs: number): boolean {
    return this.state === 'open' && nowMs - this.#sinceMs < this.limits.openMs;
  }

  /** Time until it may admit again, milliseconds; at least 0. */
  openForMs(nowMs: number): number {
    return this.state === 'open' ? Math.max(0, this.limits.openMs - (nowMs - this.#sinceMs)) : 0;
  }

  /** An admitted attempt is over. `latencyMs`: until the response head, or until it failed. Once per ticket. */
  settle(ticket: number, nowMs: number, outcome: BreakerOutcome, latencyMs: number): void {
    if (ticket !== this.#era) return;
    if (this.state === 'half-open') this.#probing -= 1;
    if (outcome === 'neutral') return;
    if (outcome === 'client-error') {
      this.#answered += 1;
      this.#closeWhenWell(nowMs);
      return;
    }
    const slow = this.limits.slow !== null && latencyMs > this.limits.slow.overMs;
    this.#count(nowMs, outcome === 'failed', slow);
    if (outcome === 'ok') this.#answered += 1;
    const needed = this.state === 'closed' ? this.limits.minimum : Math.min(MIN_PROBES, this.limits.minimum);
    if (this.#total >= needed && this.#isOverLimit()) this.#enter('open', nowMs);
    else this.#closeWhenWell(nowMs);
  }

  /** From open to half-open when it is time. */
  #wake(nowMs: number): void {
    if (this.state === 'open' && nowMs - this.#sinceMs >= this.limits.openMs) this.#enter('half-open', nowMs);
  }

  /**
   * One probe at once; more as the share rises with time, but never more unanswered ones than answers so far plus
   * one: an upstream that hangs must not get its full load before the first time-out is known.
   */
  #admitsProbe(nowMs: number, random: number): boolean {
    if (this.#probing > this.#answered) return false;
    if (this.#probing === 0 && this.#answered === 0) return true;
    return random * this.limits.recoverMs < nowMs - this.#sinceMs;
  }

  #closeWhenWell(nowMs: number): void {
    if (this.state !== 'half-open' || this.#answered === 0 || this.#isOverLimit()) return;
    if (nowMs - this.#sinceMs >= this.limits.recoverMs) this.#enter('closed', nowMs);
  }

  #isOverLimit(): boolean {
    const { errorShare, slow } = this.limits;
    if (this.#total === 0) return false;
    if (errorShare !== null && this.#failed >= errorShare * this.#total) return true;
    return slow !== null && this.#slow >= slow.share * this.#total;
  }

  #enter(state: BreakerState, nowMs: number): void {
    this.state = state;
    this.#era += 1;
    this.#sinceMs = nowMs;
    this.#probing = 0;
    this.#answered = 0;
    if (state === 'open') this.trips += 1;
    this.#clear();
  }

  #clear(): void {
    this.#totals.fill(0);
    this.#failures.fill(0);
    this.#slows.fill(0);
    this.#total = 0;
    this.#failed = 0;
    this.#slow = 0;
  }

  #count(nowMs: number, failed: boolean, slow: boolean): void {
    const bucket = Math.max(this.#bucket, Math.floor(nowMs / this.#bucketMs));
    if (bucket - this.#bucket >= BUCKETS) this.#clear();
    else for (let passed = this.#bucket + 1; passed <= bucket; passed += 1) this.#forget(passed % BUCKETS);
    this.#bucket = bucket;
    const slot = bucket % BUCKETS;
    this.#totals[slot] = (this.#totals[slot] ?? 0) + 1;
    this.#total += 1;
    if (failed) {
      this.#failures[slot] = (this.#failures[slot] ?? 0) + 1;
      this.#failed += 1;
    }
    if (slow) {
      this.#slows[slot] = (this.#slows[slot] ?? 0) + 1;
      this.#slow += 1;
    }
  }

  #forget(slot: number): void {
    this.#total -= this.#totals[slot] ?? 0;
    this.#failed -= this.#failures[slot] ?? 0;
    this.#slow -= this.#slows[slot] ?? 0;
    this.#totals[slot] = 0;
    this.#failures[slot] = 0;
    this.#slows[slot] = 0;
  }
}
