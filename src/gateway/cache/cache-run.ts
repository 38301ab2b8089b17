/**
 * What the cache knows of one request on its way: its key, the stored response that it may renew, and the
 * response that is being kept. Owns its flight and collector until `release`.
 * @module
 */

import type { CachePolicy } from '../../config/gateway-model.ts';
import type { ForwardReason } from '../../core/policy/cache/cache-status.ts';
import type { CallerField } from '../../core/policy/cache/caller-fields.ts';
import type { FreshnessLimits } from '../../core/policy/cache/freshness.ts';
import type { Collector, Flight, HttpCache, PurgeMark } from './http-cache.ts';
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
  /** Cookies that the gateway issues itself: they do not make a request somebody's own. */
  readonly ownCookies: ReadonlySet<string>;
  readonly callerFields: ReadonlyMap<string, CallerField>;
  readonly counts: CacheCounts;
}

export class CacheRun {
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
  /** When its patience with others ends, monotonic milliseconds; 0 before it waited. */
  waitUntilMs = 0;
  /** Stale or to be validated; may stand in when the attempt fails. */
  stored: StoredResponse | null = null;
  /** The upstream was asked whether `stored` still holds. */
  validating = false;
  flight: Flight | null = null;
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

  /** Keeps the response, unless a purge came after the request had gone out. */
  put(stored: StoredResponse): void {
    if (this.#mark === null || this.storedIsPurged || this.isPurged(stored.tags)) return;
    this.#cache.put(stored, this.#mark, stored.responseMs);
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
    this.#collector = this.#cache.collect(this.resource, this.compiled.policy.maxBytes);
  }

  /** What `keep` announced will not be kept; who waits need not. */
  piece(piece: Buffer): void {
    if (this.#collector === null) return;
    this.#collector.add(piece);
    if (this.#collector.spoilt) this.release();
  }

  /** The body is complete. */
  complete(): void {
    const collector = this.#collector;
    if (collector !== null && this.#head !== null && !collector.spoilt) {
      this.put(storedResponse(this, this.#head, collector.body(), this.#readRequest));
    }
    this.release();
  }

  /** Whatever happened, nobody waits for this request any more. Idempotent. */
  release(): void {
    if (this.#collector !== null) this.#cache.release(this.#collector);
    this.#collector = null;
    if (this.flight !== null) this.#cache.land(this.flight);
    this.flight = null;
  }
}
