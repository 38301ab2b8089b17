/**
 * Circuit breakers of routes: one for each version, kept over reloads, and the pass of one attempt through one.
 * Joins the pure breaker to attempts; decides nothing about answers.
 * @module
 */

import { Breaker, type BreakerLimits, type BreakerOutcome } from '../core/policy/breaker.ts';
import type { BalanceTarget } from '../core/policy/target-state.ts';
import type { AttemptPass } from './attempt-pass.ts';

/** A breaker and what it stands before. */
export interface RouteBreaker {
  readonly service: string;
  readonly route: string;
  readonly version: string;
  /** Empty: of all endpoints of the version. */
  readonly endpoint: string;
  readonly breaker: Breaker;
}

/** By service, route, version and endpoint. */
export type BreakerTable = ReadonlyMap<string, RouteBreaker>;

/** What the breakers of one route before one version are told of the rest. */
export interface BreakerPlace {
  /** Now. */
  targets(): readonly BalanceTarget[];
  adopt(endpoint: string): Breaker;
  forget(endpoint: string): void;
}

/** The breaker or breakers of one route before one version. */
export class VersionBreakers {
  /** Null: each endpoint has its own. */
  readonly #whole: Breaker | null;
  readonly #place: BreakerPlace;
  readonly #byEndpoint = new Map<string, Breaker>();

  constructor(per: 'version' | 'endpoint', place: BreakerPlace) {
    this.#whole = per === 'version' ? place.adopt('') : null;
    this.#place = place;
  }

  of({ id }: BalanceTarget): Breaker {
    if (this.#whole !== null) return this.#whole;
    const known = this.#byEndpoint.get(id);
    if (known !== undefined) return known;
    this.#forgetGone();
    const breaker = this.#place.adopt(id);
    this.#byEndpoint.set(id, breaker);
    return breaker;
  }

  /** Endpoints come and go by discovery; each that comes makes room. */
  #forgetGone(): void {
    const there = new Set(this.#place.targets().map(({ id }) => id));
    for (const id of this.#byEndpoint.keys()) {
      if (there.has(id)) continue;
      this.#byEndpoint.delete(id);
      this.#place.forget(id);
    }
  }

  /** The one that opens first again, while every attempt at `targets` would be refused; null otherwise. */
  open(nowMs: number, targets: readonly BalanceTarget[]): Breaker | null {
    if (this.#whole !== null) return this.#whole.isOpen(nowMs) ? this.#whole : null;
    let first: Breaker | null = null;
    for (const target of targets) {
      const breaker = this.of(target);
      if (!breaker.isOpen(nowMs)) return null;
      if (first === null || breaker.openForMs(nowMs) < first.openForMs(nowMs)) first = breaker;
    }
    return first;
  }
}

/** The breaker of a route and version goes on with what it knows, unless its limits have changed. */
export function adoptBreaker(
  previous: BreakerTable | undefined,
  next: Map<string, RouteBreaker>,
  place: Omit<RouteBreaker, 'breaker'>,
  limits: BreakerLimits,
): Breaker {
  const key = breakerKey(place);
  const known = previous?.get(key);
  const kept = known !== undefined && JSON.stringify(known.breaker.limits) === JSON.stringify(limits);
  const entry = kept ? known : { ...place, breaker: new Breaker(limits) };
  next.set(key, entry);
  return entry.breaker;
}

export function breakerKey({ service, route, version, endpoint }: Omit<RouteBreaker, 'breaker'>): string {
  return `${service} ${route} ${version} ${endpoint}`;
}

/** Seconds for a Retry-After field: until the breaker may admit again, at least 1. */
export function retryAfterS(breaker: Breaker, nowMs: number): string {
  return String(Math.max(1, Math.ceil(breaker.openForMs(nowMs) / 1000)));
}

/** One admitted attempt. The response head settles it, so that a long stream does not keep a probe waiting. */
export class BreakerPass implements AttemptPass {
  readonly #breaker: Breaker;
  readonly #ticket: number;
  readonly #startedMs: number;
  #settled = false;

  constructor(breaker: Breaker, ticket: number, startedMs: number) {
    this.#breaker = breaker;
    this.#ticket = ticket;
    this.#startedMs = startedMs;
  }

  /** Idempotent. */
  settle(outcome: BreakerOutcome, nowMs: number): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#breaker.settle(this.#ticket, nowMs, outcome, nowMs - this.#startedMs);
  }

  settleStatus(status: number, nowMs: number): void {
    this.settle(status >= 500 ? 'failed' : status >= 400 ? 'client-error' : 'ok', nowMs);
  }
}
