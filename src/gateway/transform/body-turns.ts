/**
 * Reshapes large bodies a slice per turn of the event loop, so that no body holds up everybody else. Knows when slices
 * run and that a client which is gone needs none; nothing of what they do.
 * @module
 */

import type { Sliced } from '../../core/policy/transform/sliced.ts';
import type { ClientResponse } from '../client.ts';
import { MAX_BODIES_AT_WORK } from '../limits.ts';

export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Does one slice; true: that was the last one. */
type Task = () => boolean;

/** Of all requests of a gateway together: what bounds a turn is one slice, not one slice of each. */
export class BodyTurns {
  /** Taken in turn. What a body has become so far may be many times its size, so they are few. */
  readonly #atWork = new Set<Task>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Task>();
  #scheduled = false;

  /**
   * Does the first slice now. Gives the outcome if that was all; else null, and `later` gets it in another turn, unless
   * `response` is closed before. `later` must not throw.
   */
  run<T>(
    work: Sliced<T>,
    response: Pick<ClientResponse, 'once'>,
    later: (outcome: Outcome<T>) => void,
  ): Outcome<T> | null {
    const outcome = slice(work);
    if (outcome !== null) return outcome;
    const task = (): boolean => {
      const reached = slice(work);
      if (reached !== null) later(reached);
      return reached !== null;
    };
    this.#waiting.add(task);
    response.once('close', () => {
      this.#waiting.delete(task);
      this.#atWork.delete(task);
    });
    this.#schedule();
    return null;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size + this.#atWork.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
      this.#schedule();
    });
  }

  #turn(): void {
    for (const task of this.#waiting) {
      if (this.#atWork.size >= MAX_BODIES_AT_WORK) break;
      this.#waiting.delete(task);
      this.#atWork.add(task);
    }
    for (const task of this.#atWork) {
      this.#atWork.delete(task);
      if (!task()) this.#atWork.add(task);
      return;
    }
  }
}

/** Null: there is more to do. */
function slice<T>(work: Sliced<T>): Outcome<T> | null {
  try {
    const step = work.next();
    return step.done === true ? { value: step.value } : null;
  } catch (error) {
    return { error };
  }
}
