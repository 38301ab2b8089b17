/**
 * A bounded queue in which the important go first and, when it is full, push out the unimportant.
 * Knows neither what waits nor for how long: whoever joins leaves by its own deadline.
 * @module
 */

/** Most important first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;

export type Priority = (typeof PRIORITIES)[number];

export type JoinResult<Item> =
  /** `pushedOut`: had to leave for it; null: nobody. */
  { readonly joined: true; readonly pushedOut: Item | null } | { readonly joined: false };

export class WaitingRoom<Item> {
  /** First come, first out within a priority. */
  readonly #rows: Readonly<Record<Priority, Item[]>> = { high: [], normal: [], low: [] };

  get size(): number {
    return PRIORITIES.reduce((sum, priority) => sum + this.#rows[priority].length, 0);
  }

  /** Joins a room of `seats`. In a full one the last of the least important goes, if that is less important. */
  join(item: Item, priority: Priority, seats: number): JoinResult<Item> {
    let pushedOut: Item | null = null;
    if (this.size >= seats) {
      const row = this.#lessImportant(priority);
      if (row === null) return { joined: false };
      pushedOut = row.pop() ?? null;
    }
    this.#rows[priority].push(item);
    return { joined: true, pushedOut };
  }

  /** The one whose turn it is, taken out; undefined: nobody waits. */
  next(): Item | undefined {
    for (const priority of PRIORITIES) {
      const item = this.#rows[priority].shift();
      if (item !== undefined) return item;
    }
    return undefined;
  }

  find(test: (item: Item) => boolean): Item | undefined {
    for (const priority of PRIORITIES) {
      const item = this.#rows[priority].find(test);
      if (item !== undefined) return item;
    }
    return undefined;
  }

  /** Idempotent. */
  leave(item: Item): void {
    for (const priority of PRIORITIES) {
      const index = this.#rows[priority].indexOf(item);
      if (index < 0) continue;
      this.#rows[priority].splice(index, 1);
      return;
    }
  }

  #lessImportant(priority: Priority): Item[] | null {
    for (const other of ['low', 'normal'] as const) {
      if (other === priority) return null;
      const row = this.#rows[other];
      if (row.length > 0) return row;
    }
    return null;
  }
}
