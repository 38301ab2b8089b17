/**
 * The pause before a retry. Knows only how to end.
 * @module
 */

import { Deadline } from '../deadlines.ts';

export class Backoff extends Deadline {
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    super();
    this.#onEnd = onEnd;
  }

  override expire(): void {
    this.#onEnd();
  }
}
