/**
 * The gateway's cache: the store, the fetches that others wait for, and the responses that are just coming in.
 * Owns what concurrent requests share; knows no exchange.
 * @module
 */

import type { GatewayConfig } from '../../config/gateway-model.ts';
import { currentAgeMs } from '../../core/policy/cache/freshness.ts';
import { type NumberedPurge, type Purge, PurgeLog } from '../../core/policy/cache/purge.ts';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import type { PurgeChannel, PurgeListener } from '../../ports/purge-channel.ts';
import { bufferOf } from '../kept-buffer.ts';
import { CacheStore } from './cache-store.ts';
import { Flights } from './flights.ts';
import type { PurgeAnnouncer } from './purge-announcer.ts';
import { type CompiledPurge, compilePurge, type PurgeSubject } from './purge-match.ts';
import type { SharedTier } from './shared-tier.ts';
import type { StoredResponse } from './stored-response.ts';
import type { SharedResponse } from './stored-text.ts';

/** The body of a response that may be stored, as it passes by. */
export class Collector {
  readonly subject: PurgeSubject;
  readonly #limit: number;
  readonly #kept = new KeptBytes();
  /** Too large, or outdated by an unsafe request meanwhile. */
  spoilt = false;
  tooLarge = false;

  constructor(subject: PurgeSubject, limit: number) {
    this.subject = subject;
    this.#limit = limit;
  }

  add(piece: Buffer): void {
    if (this.spoilt) return;
    this.tooLarge = this.#kept.length + piece.length > this.#limit;
    if (this.tooLarge) this.spoil();
    else this.#kept.add(piece);
  }

  spoil(): void {
    this.spoilt = true;
    this.#kept.clear();
  }

  /** A copy, so that a small body holds neither the socket's large buffers nor a part of Node's pool. */
  body(): Buffer {
    return bufferOf(this.#kept.copied());
  }
}

/** When a request went to the upstream, told by purges. */
export interface PurgeMark {
  readonly log: PurgeLog<PurgeSubject>;
  readonly generation: string;
  readonly sequence: number;
}

export type CacheSettings = Pick<GatewayConfig, 'cacheBytes' | 'cacheRedis'>;

export class HttpCache {
  readonly store: CacheStore;
  readonly flights = new Flights();
  readonly #collectors = new Set<Collector>();
  readonly #closing = new AbortController();
  readonly #tier: SharedTier;
  readonly #announcer: PurgeAnnouncer;
  #tierOn: boolean;
  /** Of purges; empty before the channel has answered. */
  #generation = '';
  #purges = new PurgeLog<PurgeSubject>(0);
  /** Responses that purges removed. */
  purged = 0;

  constructor(settings: CacheSettings, tier: SharedTier, announcer: PurgeAnnouncer) {
    this.store = new CacheStore(settings.cacheBytes);
    this.#tier = tier;
    this.#announcer = announcer;
    this.#tierOn = settings.cacheRedis;
  }

  /** Takes over changed settings. */
  adopt({ cacheBytes, cacheRedis }: CacheSettings): void {
    this.store.resize(cacheBytes);
    this.#tierOn = cacheRedis;
  }

  /** What gateways share; null when that is off or away. */
  get tier(): SharedTier | null {
    return this.#tierOn && this.#tier.answers && this.#generation !== '' ? this.#tier : null;
  }

  /** Also while it is away or off. */
  get tierCounts(): Pick<SharedTier, 'hits' | 'misses' | 'failures'> {
    return this.#tier;
  }

  /** Keeps it here and, while it may serve, in the tier. */
  put(stored: StoredResponse, mark: PurgeMark, nowMs: number): void {
    this.store.put(stored);
    if (!this.#tierOn) return;
    const { freshness, responseMs } = stored;
    const staleMs = Math.max(freshness.staleWhileRevalidateMs, freshness.staleIfErrorMs);
    const mayServeMs = freshness.lifetimeMs + (freshness.neverStale ? 0 : staleMs);
    this.#tier.put(stored, mark, mayServeMs - currentAgeMs(freshness, responseMs, nowMs));
  }

  /** Takes over what the tier had, unless it was purged since it was asked for. */
  adoptShared({ stored, mark }: SharedResponse): void {
    const sound = mark.generation === this.#generation && !this.#purges.outdates(mark.sequence, stored);
    if (sound) this.store.put(stored);
  }

  collect(subject: PurgeSubject, limit: number): Collector {
    const collector = new Collector(subject, limit);
    this.#collectors.add(collector);
    return collector;
  }

  release(collector: Collector): void {
    this.#collectors.delete(collector);
  }

  /** Removes what is stored of a resource, and keeps what is just coming in from being stored. */
  invalidate(resource: string): void {
    this.store.invalidate(resource);
    if (this.#tierOn) this.#tier.drop(resource);
    for (const collector of this.#collectors) if (collector.subject.resource === resource) collector.spoil();
  }

  /**
   * Purges here and now, also what is just coming in, and in all other gateways as soon as they hear of it. Returns how
   * many responses were stored here.
   */
  announce(purge: Purge): number {
    const compiled = compilePurge(purge);
    const count = this.store.purge(compiled);
    this.purged += count;
    for (const collector of this.#collectors) if (compiled.matches(collector.subject)) collector.spoil();
    this.#announcer.announce(purge);
    return count;
  }

  /** Applies purges until `close`. Resolves when it is as far as the channel was, or the channel is away. */
  watch(channel: PurgeChannel, gateway: string): Promise<void> {
    const add = (purge: NumberedPurge): CompiledPurge => {
      const compiled = compilePurge(purge);
      this.#purges.add(purge.sequence, compiled.matches);
      return compiled;
    };
    const listener: PurgeListener = {
      onPurge: (purge) => {
        this.purged += this.store.purge(add(purge));
      },
      onHistory: ({ generation, sequence, purges }) => {
        this.#generation = generation;
        this.#purges = new PurgeLog(sequence - purges.length);
        for (const purge of purges) add(purge);
        this.purged += this.store.clear();
      },
    };
    return channel.watch(gateway, listener, this.#closing.signal);
  }

  close(): void {
    this.#closing.abort();
    this.#announcer.close();
  }

  mark(): PurgeMark {
    return { log: this.#purges, generation: this.#generation, sequence: this.#purges.newest };
  }

  /** Whether `subject` was purged since; also when that cannot be told. */
  outdatedSince(mark: PurgeMark, subject: PurgeSubject): boolean {
    return mark.log !== this.#purges || mark.log.outdates(mark.sequence, subject);
  }
}
