/**
 * The real CliIo, made from the process that bin hands in. Owns signal handlers and raw mode; knows no verb.
 * @module
 */

import { appendFile, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { CliIo, Keyboard } from './cli-io.ts';

export interface ProcessIo {
  readonly io: CliIo;
  /** Removes the signal handlers. Idempotent. */
  close(): void;
}

export function createProcessIo(
  process: NodeJS.Process,
  version: string,
  openPrometheus: CliIo['openPrometheus'],
): ProcessIo {
  const { stdout, stderr, stdin, env } = process;
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const isTTY = stdout.isTTY === true;
  // A reader that has seen enough, such as `head`, is no error.
  const endOfPipe = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupted.abort();
  };
  stdout.on('error', endOfPipe);
  const io: CliIo = {
    stdout,
    stderr,
    isTTY,
    keyboard: stdin.isTTY === true ? createKeyboard(process) : null,
    columns: () => (isTTY ? stdout.columns || 80 : 80),
    rows: () => (isTTY ? stdout.rows || 24 : 24),
    env,
    color: isTTY && !env.NO_COLOR && env.TERM !== 'dumb',
    unicode: /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '') || process.platform === 'darwin',
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    user: userName(),
    version,
    openPrometheus,
    now: Date.now,
    readFile: (path) => readFile(path, 'utf8'),
    appendFile: (path, text) => appendFile(path, text),
    setExitCode: (code) => {
      process.exitCode = code;
    },
    signal: interrupted.signal,
  };
  return {
    io,
    close: () => {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      stdout.off('error', endOfPipe);
    },
  };
}

/** Some containers run as a user without a name. */
function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

function createKeyboard({ stdin, stderr }: NodeJS.Process): Keyboard {
  return {
    onKey(listener) {
      const onData = (data: Buffer) => {
        // Arrow keys and the like come as escape sequences: none of them is ours.
        const text = data.toString('utf8');
        if (!text.startsWith('\u001b')) for (const key of text) listener(key);
      };
      stdin.setRawMode(true);
      stdin.on('data', onData).resume();
      return () => {
        stdin.off('data', onData).pause();
        stdin.setRawMode(false);
      };
    },
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        return await lines.question(question);
      } finally {
        lines.close();
      }
    },
  };
}
