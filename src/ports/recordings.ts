/**
 * Where an operator keeps what it decided from, line by line. Losing a line loses no decision: those are in the store.
 * @module
 */

export interface Recordings {
  /** Adds a line to a run's recording; `head` begins it when there is none. Never throws, never waits. */
  append(rollout: string, run: number, head: () => string, line: string): void;
  /** The whole text of a run's recording; of the newest run when `run` is null. Null: there is none here. */
  read(rollout: string, run: number | null): Promise<string | null>;
  close(): Promise<void>;
}
