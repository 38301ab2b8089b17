/**
 * Stored responses in memory: least recently used first out, within a budget of bytes. Knows keys, variants and
 * sizes; decides nothing about freshness.
 * @module
 */

import { varyKey } from '../../core/policy/cache/vary.ts';
import { PurgeIndex } from './purge-index.ts';
import type { CompiledPurge } from './purge-match.ts';
import type { StoredKey, StoredResponse } from './stored-response.ts';

/** Variants of one resource, all versions together; more push out the oldest. */
const MAX_VARIANTS = 64;

export interface Found {
  readonly response: StoredResponse | null;
  /** The resource is stored, but not for such a request. */
  readonly otherVariants: boolean;
}

const NOTHING: Found = { response: null, otherVariants: false };

export class CacheStore {
  /** In order of use, oldest first. */
  readonly #used = new Set<StoredResponse>();
  /** By resource, newest last. */
  readonly #resources = new Map<string, StoredResponse[]>();
  readonly #index = new PurgeIndex();
  #budget: number;
  bytes = 0;
  evictions = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#used.size;
  }

  resize(budget: number): void {
    this.#budget = budget;
    this.#evict();
  }

  /** The newest stored response that answers such a request. `read` gives a field of the request. */
  find(key: StoredKey, read: (name: string) => string | undefined): Found {
    const variants = this.#resources.get(key.resource);
    if (variants === undefined) return NOTHING;
    for (let i = variants.length - 1; i >= 0; i -= 1) {
      const stored = variants[i] as StoredResponse;
      if (stored.selector !== key.selector || !selects(stored, read)) continue;
      this.#used.delete(stored);
      this.#used.add(stored);
      return { response: stored, otherVariants: false };
    }
    return { response: null, otherVariants: variants.some(({ selector }) => selector === key.selector) };
  }

  /** Replaces what answers the same requests. */
  put(stored: StoredResponse): void {
    const variants = this.#resources.get(stored.resource) ?? [];
    for (const other of [...variants]) {
      if (other.selector !== stored.selector) continue;
      if (other.varyKey === stored.varyKey && sameNames(other.vary, stored.vary)) this.#remove(other);
    }
    if (stored.bytes > this.#budget) return;
    const kept = this.#resources.get(stored.resource) ?? [];
    const oldest = kept.length >= MAX_VARIANTS ? kept[0] : undefined;
    if (oldest !== undefined) this.#remove(oldest);
    const list = this.#resources.get(stored.resource) ?? [];
    list.push(stored);
    this.#resources.set(stored.resource, list);
    this.#used.add(stored);
    this.#index.add(stored);
    this.bytes += stored.bytes;
    this.#evict();
  }

  remove(stored: StoredResponse): void {
    if (this.#used.has(stored)) this.#remove(stored);
  }

  /** All variants of all versions. */
  invalidate(resource: string): void {
    for (const stored of [...(this.#resources.get(resource) ?? [])]) this.#remove(stored);
  }

  /** Returns how many there were. */
  purge(purge: CompiledPurge): number {
    const found = this.#index.find(purge);
    for (const stored of found) this.#remove(stored);
    return found.length;
  }

  /** Returns how many there were. */
  clear(): number {
    const { size } = this;
    for (const stored of this.#used) this.#remove(stored);
    return size;
  }

  #remove(stored: StoredResponse): void {
    this.#used.delete(stored);
    this.#index.remove(stored);
    this.bytes -= stored.bytes;
    const rest = (this.#resources.get(stored.resource) ?? []).filter((other) => other !== stored);
    if (rest.length === 0) this.#resources.delete(stored.resource);
    else this.#resources.set(stored.resource, rest);
  }

  #evict(): void {
    for (const stored of this.#used) {
      if (this.bytes <= this.#budget) return;
      this.#remove(stored);
      this.evictions += 1;
    }
  }
}

function selects(stored: StoredResponse, read: (name: string) => string | undefined): boolean {
  return stored.vary.length === 0 || varyKey(stored.vary, read) === stored.varyKey;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}
