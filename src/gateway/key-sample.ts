/**
 * A sample of the users that a service has seen under the split in force: each counts once, so that the shares of
 * users can be held against the weights. Knows keys and revisions, no versions.
 * @module
 */

import { murmur3 } from '../core/split/hash.ts';

/** Independent of the draws that assign versions. */
const SEED = 0x5a3b1e;
/** One user in so many: a power of two. */
const ONE_IN = 8;
/** Then it stops until the next revision: who keeps making up keys does not fill the memory. */
const MAX_KEYS = 50_000;

export class KeySample {
  readonly #seen = new Set<number>();
  #revision = -1;

  /** The key belongs to the sample and was not seen under this revision before. */
  isNew(key: string, revision: number): boolean {
    const hash = murmur3(key, SEED);
    if (hash % ONE_IN !== 0) return false;
    if (revision !== this.#revision) {
      this.#seen.clear();
      this.#revision = revision;
    }
    if (this.#seen.size >= MAX_KEYS || this.#seen.has(hash)) return false;
    this.#seen.add(hash);
    return true;
  }
}
