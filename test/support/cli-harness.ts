/**
 * Runs the command line in process, as a shell would see it: stdout, stderr, exit code. Knows no verb.
 * @module
 */

import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { createPrometheusSource } from '../../src/adapters/prometheus/prometheus-source.ts';
import type { CliIo, Keyboard } from '../../src/cli/cli-io.ts';
import type { ExitCode } from '../../src/cli/exit-codes.ts';
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { NOON } from './view-fixture.ts';

export interface CliRunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
  readonly isTTY?: boolean;
  readonly color?: boolean;
  readonly keyboard?: Keyboard;
  readonly files?: Readonly<Record<string, string>>;
  readonly now?: () => number;
}

export interface CliRun {
  stdout: string;
  stderr: string;
  code: ExitCode | null;
  /** What was appended, by path. */
  readonly appended: Record<string, string>;
  /** Ctrl-C. */
  interrupt(): void;
  /** Resolves when the command has ended. */
  readonly ended: Promise<CliRun>;
}

/** Starts a command; `await run.ended` for the whole transcript. */
export function startCli(argv: readonly string[], options: CliRunOptions = {}): CliRun {
  const interrupted = new AbortController();
  const appended: Record<string, string> = {};
  let resolveEnd: (run: CliRun) => void = () => undefined;
  const run: CliRun = {
    stdout: '',
    stderr: '',
    code: null,
    appended,
    interrupt: () => interrupted.abort(),
    ended: new Promise((resolve) => {
      resolveEnd = resolve;
    }),
  };
  const io: CliIo = {
    stdout: {
      write: (chunk) => {
        run.stdout += chunk;
      },
    },
    stderr: {
      write: (chunk) => {
        run.stderr += chunk;
      },
    },
    isTTY: options.isTTY ?? false,
    keyboard: options.keyboard ?? null,
    columns: () => options.columns ?? 100,
    rows: () => options.rows ?? 40,
    env: options.env ?? {},
    color: options.color ?? false,
    unicode: true,
    timeZone: 'UTC',
    user: 'ana',
    version: '1.2.3',
    openPrometheus: async (url, bearerToken) =>
      createPrometheusSource({ url, timeoutMs: 10_000, bearerToken }),
    now: options.now ?? (() => NOON),
    readFile: async (path) => {
      const given = options.files?.[path];
      return given ?? text(createReadStream(path));
    },
    appendFile: async (path, chunk) => {
      appended[path] = (appended[path] ?? '') + chunk;
    },
    setExitCode: (code) => {
      run.code = code;
    },
    signal: interrupted.signal,
  };
  void runProgram(createProgram(io), io, argv).then(() => resolveEnd(run));
  return run;
}

export function runCli(argv: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  return startCli(argv, options).ended;
}

/** A keyboard that tests type on. */
export function fakeKeyboard(answers: readonly string[] = []) {
  const listeners = new Set<(key: string) => void>();
  const left = [...answers];
  const questions: string[] = [];
  return {
    questions,
    press: (key: string) => {
      for (const listener of listeners) listener(key);
    },
    onKey: (listener: (key: string) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ask: async (question: string) => {
      questions.push(question);
      return left.shift() ?? '';
    },
  };
}
