/**
 * Time as a dependency: shells take a clock, the core takes numbers.
 * @module
 */

export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
}
