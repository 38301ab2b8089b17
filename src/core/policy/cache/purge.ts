/**
 * Purges of the cache: what one may name, and whether a purge came after a response was asked for. Knows neither how
 * purges travel nor how a response is matched.
 * @module
 */

export const PURGE_KINDS = ['url', 'path', 'prefix', 'tag'] as const;
export type PurgeKind = (typeof PURGE_KINDS)[number];

export interface Purge {
  readonly by: PurgeKind;
  /** URL or path; path with every query, or path prefix, with or without an origin, or tag. */
  readonly value: string;
  /** Null: of all services. */
  readonly service: string | null;
}

export interface NumberedPurge extends Purge {
  /** From 1, without gaps. */
  readonly sequence: number;
}

/** Purges that are remembered, here and by a channel; who needs older ones drops everything instead. */
export const PURGES_KEPT = 1_000;
export const MAX_PURGE_VALUE = 4_096;

const TARGET = /^(?:https?:\/\/[^\s/?#\\@]+)?(?:\/[^\s?#\\]*)?(?:\?[^\s#\\]*)?$/i;
const VISIBLE = /^[\x21-\x7e]*$/;

/** Why nothing can be purged by this; null when it can. */
export function flawOfPurge({ by, value }: Purge): string | null {
  if (value.length > MAX_PURGE_VALUE) return `longer than ${MAX_PURGE_VALUE} characters`;
  if (by === 'tag') {
    return value !== '' && /^[^\s,]+$/.test(value) ? null : 'a tag has no spaces and no commas';
  }
  if (!VISIBLE.test(value)) return 'not a URL: other characters than visible ASCII are written as %XX';
  if (value === '' || !TARGET.test(value) || /^(?:\?|\/\/)/.test(value)) {
    return 'expected a path such as /catalog, or an http(s) URL without user and fragment';
  }
  if (by === 'url' || !value.includes('?')) return null;
  return by === 'path'
    ? 'a path is purged with every query, so it has none; purge by url for one'
    : 'a prefix is of the path, so it has no query';
}

interface Remembered<Subject> {
  readonly sequence: number;
  readonly matches: (subject: Subject) => boolean;
}

/** The newest purges, to judge responses by that were asked for before them. */
export class PurgeLog<Subject> {
  readonly #entries: Remembered<Subject>[] = [];
  #floor: number;
  #newest: number;

  /** `sequence`: of the newest purge that is not to be remembered. */
  constructor(sequence: number) {
    this.#floor = sequence;
    this.#newest = sequence;
  }

  get newest(): number {
    return this.#newest;
  }

  /** `sequence` follows the newest. */
  add(sequence: number, matches: (subject: Subject) => boolean): void {
    this.#entries.push({ sequence, matches });
    this.#newest = sequence;
    if (this.#entries.length > PURGES_KEPT) this.#floor = this.#entries.shift()?.sequence ?? this.#floor;
  }

  /** Whether a purge after `sequence` is of `subject`. What is older than the memory counts as purged. */
  outdates(sequence: number, subject: Subject): boolean {
    if (sequence === this.#newest) return false;
    if (sequence < this.#floor) return true;
    return this.#entries.some((entry) => entry.sequence > sequence && entry.matches(subject));
  }
}
