/**
 * Keeps asking where endpoints are and tells those who use them when that changes. The last good answer stays in
 * force while there is no better one. Owns its timers, file watches and resolvers; outlives configurations.
 * @module
 */

import { Resolver } from 'node:dns/promises';
import { unwatchFile, watchFile } from 'node:fs';
import type { GatewayConfig } from '../../config/gateway-model.ts';
import {
  type DiscoverySource,
  type EndpointAddress,
  isDiscovered,
  type ResolverSettings,
} from '../../config/policies/upstreams.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { DISCOVERY_RETRY_MS, FIRST_ENDPOINTS_MS, MAX_DISCOVERED, MIN_DNS_TTL_MS } from '../limits.ts';
import { randomFraction } from '../random-ids.ts';
import { within } from '../within.ts';
import { type Lookup, lookupOf } from './lookup.ts';

/** The file is looked at this often: polling also sees what a mounted volume swaps underneath. */
const WATCH_EVERY_MS = 1_000;
/** A wait is longer or shorter by up to this share, so that gateways do not ask in step. */
const JITTER = 0.1;
/** Failures in a row after which the wait grows no more. */
const MAX_DOUBLINGS = 5;

export interface DiscoveryState {
  /** Such as `dns orders.internal:9001`. */
  readonly source: string;
  readonly endpoints: number;
  /** The last look-up failed: the endpoints are those of an earlier one. */
  readonly stale: boolean;
  readonly failures: number;
}

export class Discovery {
  readonly #logger: Logger;
  readonly #watches = new Map<string, Watch>();
  readonly #resolvers = new Map<string, Resolver>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Starts what is new in `config` and waits a while for first answers. What is not in it goes on too. */
  async prepare(config: GatewayConfig): Promise<void> {
    const added: Watch[] = [];
    for (const [key, source] of sourcesOf(config)) {
      if (this.#watches.has(key)) continue;
      const watch = new Watch(source, lookupOf(source, this.#resolver(config.resolver)), this.#logger);
      this.#watches.set(key, watch);
      added.push(watch);
    }
    await within(
      Promise.all(added.map((watch) => watch.start())).then(() => {}),
      FIRST_ENDPOINTS_MS,
    );
  }

  /** Stops what is not in `config`. */
  retain(config: GatewayConfig): void {
    const kept = sourcesOf(config);
    for (const [key, watch] of this.#watches) {
      if (kept.has(key)) continue;
      watch.stop();
      this.#watches.delete(key);
    }
  }

  /** As known now; empty before the first answer. */
  current(source: DiscoverySource, resolver: ResolverSettings): readonly EndpointAddress[] {
    return this.#watches.get(keyOf(source, resolver))?.addresses ?? [];
  }

  /** Calls `onChange` after each change; returns what ends that. */
  watch(source: DiscoverySource, resolver: ResolverSettings, onChange: () => void): () => void {
    const listeners = this.#watches.get(keyOf(source, resolver))?.listeners;
    listeners?.add(onChange);
    return () => listeners?.delete(onChange);
  }

  states(): DiscoveryState[] {
    return [...this.#watches.values()].map(({ source, addresses, stale, failures }) => ({
      source: nameOf(source),
      endpoints: addresses.length,
      stale,
      failures,
    }));
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
    for (const resolver of this.#resolvers.values()) resolver.cancel();
    this.#resolvers.clear();
  }

  #resolver(settings: ResolverSettings): Resolver {
    const key = JSON.stringify(settings);
    const known = this.#resolvers.get(key);
    if (known !== undefined) return known;
    const resolver = new Resolver({ timeout: settings.timeoutMs, tries: 2 });
    if (settings.servers.length > 0) resolver.setServers(settings.servers);
    this.#resolvers.set(key, resolver);
    return resolver;
  }
}

/** One source under observation. */
class Watch {
  readonly source: DiscoverySource;
  readonly listeners = new Set<() => void>();
  addresses: readonly EndpointAddress[] = [];
  stale = false;
  failures = 0;
  readonly #lookup: Lookup;
  readonly #logger: Logger;
  #failuresInARow = 0;
  #timer: NodeJS.Timeout | null = null;
  #asking: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(source: DiscoverySource, lookup: Lookup, logger: Logger) {
    this.source = source;
    this.#lookup = lookup;
    this.#logger = logger;
  }

  /** Resolves with the first answer or failure. Never rejects. */
  start(): Promise<void> {
    if (this.source.kind === 'file') {
      watchFile(this.source.path, { interval: WATCH_EVERY_MS, persistent: false }, this.#onFileChange);
    }
    return this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.source.kind === 'file') unwatchFile(this.source.path, this.#onFileChange);
    this.listeners.clear();
  }

  readonly #onFileChange = (): void => {
    // The change may have come too late for a reading that is under way.
    if (this.#asking !== null) this.#again = true;
    else void this.#ask();
  };

  #ask(): Promise<void> {
    this.#asking = this.#askOnce().finally(() => {
      this.#asking = null;
      if (!this.#again || this.#stopped) return;
      this.#again = false;
      void this.#ask();
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    let waitMs: number;
    try {
      const { addresses, ttlMs } = await this.#lookup();
      if (this.#stopped) return;
      waitMs = this.#bounded(ttlMs);
      this.#succeed(addresses);
    } catch (error) {
      if (this.#stopped) return;
      this.#fail(error);
      const doublings = Math.min(MAX_DOUBLINGS, this.#failuresInARow - 1);
      waitMs = Math.min(this.#bounded(Number.POSITIVE_INFINITY), DISCOVERY_RETRY_MS * 2 ** doublings);
    }
    // A file is read when it changes.
    if (this.source.kind === 'file') return;
    this.#timer = setTimeout(() => void this.#ask(), waitMs * (1 + JITTER * (2 * randomFraction() - 1)));
    this.#timer.unref();
  }

  #bounded(ttlMs: number): number {
    return this.source.kind === 'file'
      ? ttlMs
      : Math.min(this.source.refreshMs, Math.max(MIN_DNS_TTL_MS, ttlMs));
  }

  #succeed(found: readonly EndpointAddress[]): void {
    const place = { source: nameOf(this.source) };
    if (this.stale) this.#logger.info(place, 'endpoints can be looked up again');
    this.stale = false;
    this.#failuresInARow = 0;
    if (found.length > MAX_DISCOVERED) {
      this.#logger.warn({ ...place, found: found.length, used: MAX_DISCOVERED }, 'too many endpoints');
    }
    // One order whatever the order of the answer, so that the same answer is the same and all gateways agree.
    const addresses = [...found].sort((a, b) => (a.url < b.url ? -1 : 1)).slice(0, MAX_DISCOVERED);
    if (JSON.stringify(addresses) === JSON.stringify(this.addresses)) return;
    const urls = (list: readonly EndpointAddress[]): Set<string> => new Set(list.map(({ url }) => url));
    const [before, after] = [urls(this.addresses), urls(addresses)];
    this.addresses = addresses;
    this.#logger.info(
      {
        ...place,
        added: [...after].filter((url) => !before.has(url)),
        removed: [...before].filter((url) => !after.has(url)),
      },
      'endpoints have changed',
    );
    for (const onChange of this.listeners) onChange();
  }

  #fail(error: unknown): void {
    this.failures += 1;
    this.#failuresInARow += 1;
    if (this.stale) return;
    this.stale = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn(
      { source: nameOf(this.source), reason, endpoints: this.addresses.length },
      'endpoints cannot be looked up; those known so far stay',
    );
  }
}

/** By key, in the order of the configuration. */
function sourcesOf(config: GatewayConfig): Map<string, DiscoverySource> {
  const sources = new Map<string, DiscoverySource>();
  for (const service of Object.values(config.services)) {
    for (const { endpoints } of Object.values(service.versions)) {
      for (const source of endpoints) {
        if (isDiscovered(source)) sources.set(keyOf(source, config.resolver), source);
      }
    }
  }
  return sources;
}

function keyOf(source: DiscoverySource, resolver: ResolverSettings): string {
  return JSON.stringify(source.kind === 'file' ? source : [source, resolver]);
}

function nameOf(source: DiscoverySource): string {
  switch (source.kind) {
    case 'dns':
      return `dns ${source.host}:${source.port}`;
    case 'srv':
      return `srv ${source.host}`;
    case 'file':
      return `file ${source.path}`;
  }
}
