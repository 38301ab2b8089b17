/**
 * A monotonic clock that stands still until a test moves it: what waits for time then waits for the test, however slow the
 * machine is. Knows no gateway.
 * @module
 */

export class MovedTime {
  #ms = performance.now();

  readonly read = (): number => this.#ms;

  advance(ms: number): void {
    this.#ms += ms;
  }

  /** Moves on in small steps until `work` is done. */
  async until<T>(work: Promise<T>, stepMs: number): Promise<T> {
    let over = false;
    const done = (): void => {
      over = true;
    };
    work.then(done, done);
    while (!over) {
      this.advance(stepMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return work;
  }
}
