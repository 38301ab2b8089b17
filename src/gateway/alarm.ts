/**
 * A deadline that calls back: the pause before a retry, the patience with a slow reader.
 * Knows only how to end.
 * @module
 */

import { Deadline } from './deadlines.ts';

export class Alarm extends Deadline {
  readonly #ring: (nowMs: number) => void;

  constructor(ring: (nowMs: number) => void) {
    super();
    this.#ring = ring;
  }

  override expire(nowMs: number): void {
    this.#ring(nowMs);
  }
}
