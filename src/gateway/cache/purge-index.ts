/**
 * Finds what a purge is of without a walk through the store: stored responses by path and by tag. A prefix walks the
 * paths, not the responses. Owns no response and removes none from the store.
 * @module
 */

import { type CompiledPurge, pathOf } from './purge-match.ts';
import type { StoredResponse } from './stored-response.ts';

type Index = Map<string, Set<StoredResponse>>;

export class PurgeIndex {
  readonly #byPath: Index = new Map();
  readonly #byTag: Index = new Map();

  add(stored: StoredResponse): void {
    put(this.#byPath, pathOf(stored.resource), stored);
    for (const tag of stored.tags) put(this.#byTag, tag, stored);
  }

  remove(stored: StoredResponse): void {
    drop(this.#byPath, pathOf(stored.resource), stored);
    for (const tag of stored.tags) drop(this.#byTag, tag, stored);
  }

  find(purge: CompiledPurge): StoredResponse[] {
    const found: StoredResponse[] = [];
    for (const candidates of this.#candidates(purge)) {
      for (const stored of candidates) if (purge.matches(stored)) found.push(stored);
    }
    return found;
  }

  *#candidates({ tag, path, below }: CompiledPurge): Iterable<Iterable<StoredResponse>> {
    if (tag !== null) yield this.#byTag.get(tag) ?? [];
    else if (path !== null) yield this.#byPath.get(path) ?? [];
    else if (below !== null) {
      for (const [each, candidates] of this.#byPath) if (below(each)) yield candidates;
    }
  }
}

function put(index: Index, key: string, stored: StoredResponse): void {
  const at = index.get(key);
  if (at === undefined) index.set(key, new Set([stored]));
  else at.add(stored);
}

function drop(index: Index, key: string, stored: StoredResponse): void {
  const at = index.get(key);
  if (at?.delete(stored) === true && at.size === 0) index.delete(key);
}
