/**
 * What the cache knows of one request on its way: its key, the stored response that it may renew, and the
 * response that is being kept. Owns its flight and collector until `release`.
 * @module
 */

import type { CachePolicy } from '../../config/gateway-model.ts';
import type { ForwardReason } from '../../core/policy/cache/cache-status.ts';
import type { CallerField } from '../../core/policy/cache/caller-fields.ts';
import type { FreshnessLimits } from '../../core/policy/cache/freshness.ts';
import type { Flight, Landing, Waiter } from './flights.ts';
import type { Collector, HttpCache, PurgeMark } from './http-cache.ts';
import type { RequestFacts } from './request-facts.ts';
import { type ResponseHead, type StoredResponse, storedResponse } from './stored-response.ts';

/** What access log and metrics say. */
export const CACHE_OUTCOMES = [
  'hit',
  'stale',
  'revalidated',
  'miss',
  'collapsed',
  'bypass',
  'stale-on-error',
] as const;
export type CacheOutcome = (typeof CACHE_OUTCOMES)[number];

/** Requests of one route by outcome. */
export type CacheCounts = Record<CacheOutcome, number>;

/** A route's policy, compiled. */
export interface CompiledCache {
  readonly policy: CachePolicy;
  readonly limits: FreshnessLimits;
  readonly queryKey: (query: string) => string;
  /** What of a query the upstream gets; null: all of it. */
  readonly queryRest: ((query: string) => string) | null;
  /** Cookies that the gateway issues itself: they do not make a request somebody's own. */
  readonly ownCookies: ReadonlySet<string>;
  readonly callerFields: ReadonlyMap<string, CallerField>;
  readonly counts: CacheCounts;
}

export class CacheRun implements Waiter {
  readonly #cache: HttpCache;
  readonly compiled: CompiledCache;
  readonly facts: RequestFacts;
  readonly resource: string;
  readonly selector: string;
  /** Nobody waits for the response: it renews a stored one. */
  readonly background: boolean;
  outcome: CacheOutcome = 'miss';
  reason: ForwardReason = 'uri-miss';
  /** It waits for no other request (any more). */
  waited = false;
  /** What the upstream failed the one with that this one waited for, 0 without a response; −1: nothing. */
  leaderFailure = -1;
  /** When its patience with others ends, monotonic milliseconds; 0 before it waited. */
  waitUntilMs = 0;
  /** Stale or to be validated; may stand in when the attempt fails. */
  stored: StoredResponse | null = null;
  /** The upstream was asked whether `stored` still holds. */
  validating = false;
  /** The one that it leads. */
  flight: Flight | null = null;
  waitsFor: Flight | null = null;
  /** Called once when the wait is over. */
  onLanding: ((landing: Landing, status: number) => void) | null = null;
  /** Epoch milliseconds when the request went to the upstream. */
  requestMs = 0;
  /** The tier was asked. */
  tierAsked = false;
  #mark: PurgeMark | null = null;
  /** Fields of the response as the client gets them, once they are known. */
  fields: string[] | null = null;
  #collector: Collector | null = null;
  #head: ResponseHead | null = null;
  #readRequest: (name: string) => string | undefined = () => undefined;

  constructor(
    cache: HttpCache,
    compiled: CompiledCache,
    facts: RequestFacts,
    resource: string,
    selector: string,
    background: boolean,
  ) {
    this.#cache = cache;
    this.compiled = compiled;
    this.facts = facts;
    this.resource = resource;
    this.selector = selector;
    this.background = background;
  }

  get key(): string {
    return `${this.selector}\n${this.resource}`;
  }

  /** Who may wait for whom: what callers that the upstream knows get is seldom for others. */
  get flightKey(): string {
    return this.facts.identified ? `${this.key}\nidentified` : this.key;
  }

  /** Others wait for what it brings. */
  get awaited(): boolean {
    return this.flight?.awaited === true;
  }

  get queryKey(): (query: string) => string {
    return this.compiled.queryKey;
  }

  /** The request goes to the upstream now. */
  sent(nowMs: number): void {
    this.requestMs = nowMs;
    this.#mark = this.#cache.mark();
  }

  /** A purge came after the request had gone out: the response is for the one who asked, and not to be kept. */
  isPurged(tags: readonly string[]): boolean {
    return this.#mark === null || this.#cache.outdatedSince(this.#mark, this.#subject(tags));
  }

  /** Keeps the response, unless a purge came after the request had gone out: then false. */
  put(stored: StoredResponse): boolean {
    if (this.#mark === null || this.storedIsPurged || this.isPurged(stored.tags)) return false;
    this.#cache.put(stored, this.#mark, stored.responseMs);
    return true;
  }

  /** What it held to be stale was purged since. */
  get storedIsPurged(): boolean {
    return this.#mark !== null && this.stored !== null && this.isPurged(this.stored.tags);
  }

  #subject(tags: readonly string[]) {
    return { resource: this.resource, tags, queryKey: this.queryKey };
  }

  /** The response is storable: its body is kept as it passes. */
  keep(head: ResponseHead, readRequest: (name: string) => string | undefined): void {
    this.#head = head;
    this.#readRequest = readRequest;
    this.#collector = this.#cache.collect(this.#subject(head.tags), this.compiled.policy.maxBytes);
  }

  /** Once it is too large, or outdated, nobody need wait for it. `nowMs`: monotonic. */
  piece(piece: Buffer, nowMs: number): void {
    const collector = this.#collector;
    if (collector === null) return;
    collector.add(piece);
    if (!collector.spoilt) return;
    if (collector.tooLarge) this.unshare(nowMs);
    this.release();
  }

  /** The body is complete. */
  complete(): void {
    const collector = this.#collector;
    let kept = false;
    if (collector !== null && this.#head !== null && !collector.spoilt) {
      kept = this.put(storedResponse(this, this.#head, collector.body(), this.#readRequest));
    }
    this.release(kept ? 'stored' : 'lost');
  }

  /** The upstream failed this request: `status` of its response, 0 without one. */
  failed(status: number): void {
    if (this.flight !== null) this.flight.failedStatus = status;
  }

  /** What it brings is for nobody else, and so will be what others bring, for a while. `nowMs`: monotonic. */
  unshare(nowMs: number): void {
    if (this.flight === null) return;
    this.#cache.flights.letPass(this.flight.key, nowMs);
    this.#land('unshared');
  }

  wake(landing: Landing, status: number): void {
    const { onLanding } = this;
    this.onLanding = null;
    onLanding?.(landing, status);
  }

  /** Whatever happened, it waits no more, and nobody waits for it. Idempotent. */
  release(landing: 'stored' | 'lost' = 'lost'): void {
    if (this.#collector !== null) this.#cache.release(this.#collector);
    this.#collector = null;
    this.waitsFor?.leave(this);
    this.#land(landing);
  }

  #land(landing: 'stored' | 'unshared' | 'lost'): void {
    const { flight } = this;
    this.flight = null;
    if (flight !== null) this.#cache.flights.land(flight, landing);
  }
}
