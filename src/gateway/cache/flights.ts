/**
 * Requests on their way to the upstream that others with the same key wait for: who leads, who waits, and what happens
 * to them when the leader's answer is there or lost. Knows no exchange and nothing of what is stored.
 * @module
 */

/**
 * `stored`: who waited looks, and asks alone if nothing suits. `unshared`: nobody else can use that answer, so all ask
 * at once. `lost`: the next one leads, the others wait for it. `failed`: so many were lost to a failing upstream, one
 * after the other, that it is left alone. `late`: patience is over.
 */
export type Landing = 'stored' | 'unshared' | 'lost' | 'failed' | 'late';

export interface Waiter {
  /** The one it waits for now. */
  waitsFor: Flight | null;
  /** `status`: of the failure that lost the answer, 0 without a response; −1: none. */
  wake(landing: Landing, status: number): void;
}

/** Leaders in a row that the upstream failed; who still waits then is refused. */
const FAILURES_IN_A_ROW = 3;
/** Keys whose responses turned out not to be for others: their requests do not wait for each other. */
const MAX_PASSES = 4_096;
const PASS_MS = 10_000;

export class Flight {
  readonly key: string;
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  readonly #waiters = new Set<Waiter>();
  /** The upstream has begun to answer. */
  headSeen = false;
  /** What the upstream failed it with, 0 without a response; −1: nothing. */
  failedStatus = -1;
  /** Leaders before it that the upstream failed, in a row. */
  failures = 0;
  /** Somebody waits from now on. */
  onWaiter: (() => void) | null = null;
  /** Nobody waits any more; set once the leader's own client has left. */
  onDeserted: (() => void) | null = null;

  constructor(key: string, sinceMs: number) {
    this.key = key;
    this.sinceMs = sinceMs;
  }

  get awaited(): boolean {
    return this.#waiters.size > 0;
  }

  wait(waiter: Waiter): void {
    waiter.waitsFor = this;
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) this.onWaiter?.();
  }

  leave(waiter: Waiter): void {
    waiter.waitsFor = null;
    if (this.#waiters.delete(waiter) && !this.awaited) this.onDeserted?.();
  }

  /** The one that has waited longest, which then waits no more. */
  takeFirst(): Waiter | undefined {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      waiter.waitsFor = null;
      return waiter;
    }
    return undefined;
  }

  /** All that wait for `other` wait for this one, in their order. */
  adopt(other: Flight): void {
    for (let waiter = other.takeFirst(); waiter !== undefined; waiter = other.takeFirst()) this.wait(waiter);
  }
}

export class Flights {
  readonly #byKey = new Map<string, Flight>();
  readonly #passes = new Map<string, number>();

  get(key: string): Flight | undefined {
    return this.#byKey.get(key);
  }

  /** The caller fetches; `land` must follow, however it ends. Who comes now waits for it, and not for an older one. */
  lead(key: string, nowMs: number): Flight {
    const flight = new Flight(key, nowMs);
    this.#byKey.set(key, flight);
    return flight;
  }

  /** Idempotent. */
  land(flight: Flight, landing: 'stored' | 'unshared' | 'lost'): void {
    flight.onDeserted = null;
    if (this.#byKey.get(flight.key) === flight) this.#byKey.delete(flight.key);
    const { failedStatus } = flight;
    const failures = flight.failures + (failedStatus < 0 ? 0 : 1);
    const refused = landing === 'lost' && failures >= FAILURES_IN_A_ROW;
    for (let waiter = flight.takeFirst(); waiter !== undefined; waiter = flight.takeFirst()) {
      waiter.wake(refused ? 'failed' : landing, failedStatus);
      const next = landing === 'lost' ? this.#byKey.get(flight.key) : undefined;
      if (next === undefined) continue;
      // They need not be woken one by one only to wait again.
      next.failures = failures;
      next.adopt(flight);
    }
  }

  /** Requests with this key gain nothing by waiting, for a while. */
  letPass(key: string, nowMs: number): void {
    this.#passes.delete(key);
    this.#passes.set(key, nowMs + PASS_MS);
    if (this.#passes.size <= MAX_PASSES) return;
    for (const oldest of this.#passes.keys()) {
      this.#passes.delete(oldest);
      return;
    }
  }

  passes(key: string, nowMs: number): boolean {
    const untilMs = this.#passes.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.#passes.delete(key);
    return false;
  }
}
