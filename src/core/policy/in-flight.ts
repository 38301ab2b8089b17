/**
 * Counts requests under way, all together and by key, against two maxima.
 * Knows neither what a request is nor when it ends: whoever enters has to leave.
 * @module
 */

export interface InFlightCaps {
  /** Of all together; null: any number. */
  readonly max: number | null;
  /** Of each key; null: any number. */
  readonly perKeyMax: number | null;
}

/** Which maximum is reached, or that there is room. */
export type InFlightVerdict = 'entered' | 'full' | 'key-full';

export class InFlightGate {
  #count = 0;
  /** Only keys with requests under way, so that it is never larger than the number of these. */
  readonly #byKey = new Map<string, number>();

  get count(): number {
    return this.#count;
  }

  /** Keys with requests under way. */
  get keys(): number {
    return this.#byKey.size;
  }

  /** `key` is null where nothing is counted by key. Only `entered` counts the request. */
  enter({ max, perKeyMax }: InFlightCaps, key: string | null): InFlightVerdict {
    if (max !== null && this.#count >= max) return 'full';
    if (key !== null) {
      const ofKey = this.#byKey.get(key) ?? 0;
      if (perKeyMax !== null && ofKey >= perKeyMax) return 'key-full';
      this.#byKey.set(key, ofKey + 1);
    }
    this.#count += 1;
    return 'entered';
  }

  /** Once for every `entered`, with its key. */
  leave(key: string | null): void {
    this.#count -= 1;
    if (key === null) return;
    const left = (this.#byKey.get(key) ?? 1) - 1;
    if (left > 0) this.#byKey.set(key, left);
    else this.#byKey.delete(key);
  }
}
