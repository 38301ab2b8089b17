/**
 * CliIo: everything of the outside world that the command line uses, so that tests run it in process.
 * `process-io.ts` makes the real one.
 * @module
 */

import type { MetricSource } from '../ports/metric-source.ts';
import type { ExitCode } from './exit-codes.ts';

export interface Output {
  write(text: string): unknown;
}

/** A terminal's keyboard. */
export interface Keyboard {
  /** Calls back with each key until the returned function is called; Ctrl-C comes as `\u0003`. */
  onKey(listener: (key: string) => void): () => void;
  /** Asks on stderr and reads one line. */
  ask(question: string): Promise<string>;
}

export interface CliIo {
  /** Data. */
  readonly stdout: Output;
  /** Talk. */
  readonly stderr: Output;
  /** Whether stdout is a terminal. */
  readonly isTTY: boolean;
  /** Null when stdin is not a terminal: nobody can be asked. */
  readonly keyboard: Keyboard | null;
  /** Of the terminal, now; 80 without one. */
  columns(): number;
  rows(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly color: boolean;
  readonly unicode: boolean;
  /** IANA time zone in which times are shown. */
  readonly timeZone: string;
  /** Who is at the terminal; recorded as the actor where no token names one. */
  readonly user: string | null;
  readonly version: string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** A Prometheus at a base address, asked for the past. */
  openPrometheus(url: string, bearerToken: string | null): Promise<MetricSource>;
  /** Epoch milliseconds. */
  now(): number;
  /** Text of a file (`/dev/stdin` included). */
  readFile(path: string): Promise<string>;
  appendFile(path: string, text: string): Promise<void>;
  setExitCode(code: ExitCode): void;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}
