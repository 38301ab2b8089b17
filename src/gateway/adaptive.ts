/**
 * Adaptive limits of versions: who is let through, who waits, who is refused. Kept over reloads. Joins the pure limit and
 * queue to requests and their attempts; knows no responses.
 * @module
 */

import type { AdaptivePolicy, PrioritySource } from '../config/policies/adaptive.ts';
import { AdaptiveLimit, type LoadOutcome } from '../core/policy/adaptive-limit.ts';
import type { BreakerOutcome } from '../core/policy/breaker.ts';
import { type PRIORITIES, type Priority, WaitingRoom } from '../core/policy/waiting-room.ts';
import { Alarm } from './alarm.ts';
import type { AttemptPass } from './attempt-pass.ts';
import type { DeadlineWheel } from './deadlines.ts';
import { claimText, headerText, type StickySubject } from './sticky.ts';

/** `queued` went on after a wait, `full` found no seat or lost it, `expired` waited in vain, `left` was given up. */
export const ADMISSIONS = ['admitted', 'queued', 'full', 'expired', 'left'] as const;
export type Admission = (typeof ADMISSIONS)[number];

/** What a limiter needs of an exchange; every exchange is one. */
export interface Queueing {
  readonly runtime: { readonly wheel: DeadlineWheel };
  /** Where it waits; null: nowhere. */
  limiter: VersionLimiter | null;
  alarm: Alarm | null;
  note(name: string, value: string): void;
}

/** What follows when a request has its turn, or will have none. */
export interface Turn {
  readonly go: () => void;
  readonly refuse: () => void;
}

interface Waiter extends Turn {
  readonly exchange: Queueing;
  readonly priority: Priority;
}

/** Before one version, for all routes with the same limits. */
export class VersionLimiter {
  readonly service: string;
  readonly version: string;
  /** The first route that has it: tells limiters of one version apart. */
  readonly route: string;
  readonly counts: Readonly<Record<Priority, Record<Admission, number>>> = newCounts();
  inFlight = 0;
  readonly #seats: number;
  readonly #limit: AdaptiveLimit;
  readonly #room = new WaitingRoom<Waiter>();
  #calling = false;

  constructor(
    limits: AdaptivePolicy['limits'],
    place: { readonly service: string; readonly version: string; readonly route: string },
  ) {
    this.service = place.service;
    this.version = place.version;
    this.route = place.route;
    this.#seats = limits.queueSize;
    this.#limit = new AdaptiveLimit(limits);
  }

  get limit(): number {
    return this.#limit.limit;
  }

  get baselineMs(): number {
    return this.#limit.baselineMs;
  }

  get queued(): number {
    return this.#room.size;
  }

  /** True: go on at once. False: one of the two calls of `turn` follows, perhaps already has. */
  enter(exchange: Queueing, priority: Priority, waitMs: number, nowMs: number, turn: Turn): boolean {
    exchange.note('priority', priority);
    if (this.inFlight < this.limit && this.#room.size === 0) {
      this.counts[priority].admitted += 1;
      exchange.note('adaptive', 'admitted');
      return true;
    }
    const waiter = { ...turn, exchange, priority };
    const result = this.#room.join(waiter, priority, this.#seats);
    if (!result.joined) {
      this.#refuse(waiter, 'full');
      return false;
    }
    exchange.limiter = this;
    exchange.alarm = new Alarm(() => {
      this.#room.leave(waiter);
      this.#refuse(waiter, 'expired');
    });
    exchange.runtime.wheel.arm(exchange.alarm, nowMs + waitMs);
    if (result.pushedOut !== null) this.#refuse(result.pushedOut, 'full');
    return false;
  }

  /** The client went away, if the exchange still waits. */
  leave(exchange: Queueing): void {
    const waiter = this.#room.find((each) => each.exchange === exchange);
    if (waiter === undefined) return;
    this.#room.leave(waiter);
    this.#settle(waiter, 'left');
  }

  /** An attempt begins; it has to settle what it gets. */
  begin(nowMs: number): AttemptPass {
    this.inFlight += 1;
    return new Place(this, nowMs);
  }

  /** An attempt got its head, or will get none. */
  end(outcome: LoadOutcome, latencyMs: number, nowMs: number): void {
    this.#limit.note(outcome, latencyMs, this.inFlight, nowMs);
    this.inFlight -= 1;
    this.#call();
  }

  /** Calls in whoever has a place now. What it calls may end at once and come back here. */
  #call(): void {
    if (this.#calling) return;
    this.#calling = true;
    try {
      while (this.inFlight < this.limit) {
        const waiter = this.#room.next();
        if (waiter === undefined) return;
        this.#settle(waiter, 'queued');
        waiter.go();
      }
    } finally {
      this.#calling = false;
    }
  }

  #refuse(waiter: Waiter, how: 'full' | 'expired'): void {
    this.#settle(waiter, how);
    waiter.refuse();
  }

  #settle({ exchange, priority }: Waiter, how: Admission): void {
    const { alarm, runtime } = exchange;
    if (exchange.limiter !== null && alarm !== null) {
      runtime.wheel.disarm(alarm);
      exchange.alarm = null;
    }
    exchange.limiter = null;
    this.counts[priority][how] += 1;
    exchange.note('adaptive', how);
  }
}

class Place implements AttemptPass {
  readonly #limiter: VersionLimiter;
  readonly #startedMs: number;
  #settled = false;

  constructor(limiter: VersionLimiter, startedMs: number) {
    this.#limiter = limiter;
    this.#startedMs = startedMs;
  }

  settle(outcome: BreakerOutcome, nowMs: number): void {
    this.#end(outcome === 'failed' ? 'dropped' : 'neutral', nowMs);
  }

  /** 503 and 429 say "too much". Other errors may come much faster or slower than answers do. */
  settleStatus(status: number, nowMs: number): void {
    this.#end(status === 503 || status === 429 ? 'dropped' : status >= 500 ? 'neutral' : 'ok', nowMs);
  }

  #end(outcome: LoadOutcome, nowMs: number): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#limiter.end(outcome, nowMs - this.#startedMs, nowMs);
  }
}

/** By service, version and limits. */
export type LimiterTable = ReadonlyMap<string, VersionLimiter>;

/** The limiter of a version goes on with what it knows, unless its limits have changed. */
export function adoptLimiter(
  previous: LimiterTable | undefined,
  next: Map<string, VersionLimiter>,
  place: { readonly service: string; readonly version: string; readonly route: string },
  limits: AdaptivePolicy['limits'],
): VersionLimiter {
  const key = JSON.stringify([place.service, place.version, limits]);
  const limiter = next.get(key) ?? previous?.get(key) ?? new VersionLimiter(limits, place);
  next.set(key, limiter);
  return limiter;
}

export function compilePriority(priority: Priority | PrioritySource): (subject: StickySubject) => Priority {
  if (typeof priority === 'string') return () => priority;
  const { from, values, otherwise } = priority;
  const read = (subject: StickySubject): string | undefined =>
    'claim' in from ? claimText(subject, from.claim) : headerText(subject, from.header);
  return (subject) => values.get(read(subject) ?? '') ?? otherwise;
}

function newCounts(): Record<Priority, Record<Admission, number>> {
  const zeros = (): Record<Admission, number> => ({ admitted: 0, queued: 0, full: 0, expired: 0, left: 0 });
  return { high: zeros(), normal: zeros(), low: zeros() } satisfies Record<
    (typeof PRIORITIES)[number],
    unknown
  >;
}
