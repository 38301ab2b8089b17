/**
 * StreamCursor: how far a reader of the live stream has got, as the text of an event id. Knows no transport.
 * @module
 */

import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';

/** An id comes back as a request header: kept far below what servers accept. */
const MAX_LENGTH = 4096;
const ENTRY = /^([a-z0-9][a-z0-9._-]{0,62}):(\d{1,15})$/;

/**
 * The newest sequence seen of each rollout, `orders-v2:41,search-v3:7`. Those that changed last are kept when
 * the text would get too long; one that is left out gets a snapshot after a reconnect, but no replay.
 */
export class StreamCursor {
  #sequences = new Map<string, number>();

  static at(views: readonly RolloutView[]): StreamCursor {
    const cursor = new StreamCursor();
    cursor.fill(views);
    return cursor;
  }

  /** Null when the text is not a cursor: the reader is then treated as a new one. */
  static parse(text: string): StreamCursor | null {
    const cursor = new StreamCursor();
    if (text.length > MAX_LENGTH) return null;
    for (const part of text.split(',').reverse()) {
      const entry = ENTRY.exec(part);
      if (!entry) return null;
      cursor.#sequences.set(String(entry[1]), Number(entry[2]));
    }
    return cursor;
  }

  /** Rollouts that it lacks count as seen up to now, and as those that changed longest ago. */
  fill(views: readonly RolloutView[]): void {
    const lacking = views
      .filter((view) => !this.#sequences.has(view.rollout))
      .map((view) => [view.rollout, view.events.at(-1)?.sequence ?? 0] as const);
    this.#sequences = new Map([...lacking, ...this.#sequences]);
  }

  sequenceOf(rollout: string): number | undefined {
    return this.#sequences.get(rollout);
  }

  /** False when the event has been seen already. */
  advance(event: Pick<RolloutEvent, 'rollout' | 'sequence'>): boolean {
    const seen = this.#sequences.get(event.rollout);
    if (seen !== undefined && event.sequence <= seen) return false;
    this.#sequences.delete(event.rollout);
    this.#sequences.set(event.rollout, event.sequence);
    return true;
  }

  toString(): string {
    let text = '';
    for (const [rollout, sequence] of [...this.#sequences].reverse()) {
      const longer = text === '' ? `${rollout}:${sequence}` : `${text},${rollout}:${sequence}`;
      if (longer.length > MAX_LENGTH) break;
      text = longer;
    }
    return text;
  }
}
