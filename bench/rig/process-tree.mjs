/**
 * Child processes of a benchmark: started on a core of their own, measured, and ended by their own handle.
 * Knows nothing of what they run.
 * @module
 */

import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';

/** For a machine that is busy with other things, as one that runs tests is. */
const READY_MS = 60_000;
const STOP_MS = 60_000;
const running = new Set();

/** A benchmark that fails must not leave its processes behind. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Whether processes can be bound to cores here; one core alone leaves nothing to separate. */
export function pinning() {
  const found = spawnSync('taskset', ['-V'], { stdio: 'ignore' }).status === 0;
  return found && cpus().length > 1;
}

/**
 * Starts a command. `core` is a number or null (wherever the system likes). With `ipc` it can be sent messages.
 * @returns handle with `pid`, `lines` (its standard output so far), `matching`, `signal` and `stop`
 */
export function startProcess(command, args, { core = null, ipc = false, env = {} } = {}) {
  const pinned = core === null ? [command, ...args] : ['taskset', '-c', String(core), command, ...args];
  const child = spawn(pinned[0], pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  });
  running.add(child);
  const lines = [];
  const errors = [];
  const waiting = new Set();
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  let exitCode = null;
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      errors.push(String(error));
      exitCode = -1;
      resolve(-1);
    });
    child.once('exit', (code, signal) => {
      exitCode = code ?? signal;
      resolve(exitCode);
    });
  }).then((code) => {
    running.delete(child);
    wake();
    return code;
  });

  return {
    child,
    pid: child.pid,
    lines,
    errors,
    exited,
    signal: (name) => child.kill(name),
    /** The first line that matches, from those already printed on; rejects when the process ends first. */
    matching: (pattern, timeoutMs = READY_MS) =>
      new Promise((resolve, reject) => {
        const label = `${command} ${args.join(' ')}`;
        const end = (settle, value) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle(value);
        };
        const look = () => {
          const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null);
          if (match) end(resolve, match);
          else if (exitCode !== null) {
            end(reject, new Error(`${label} ended with ${exitCode}:\n${errors.slice(-20).join('\n')}`));
          }
        };
        const timer = setTimeout(
          () => end(reject, new Error(`${label} did not print ${pattern}:\n${errors.slice(-20).join('\n')}`)),
          timeoutMs,
        );
        waiting.add(look);
        look();
      }),
    /** SIGTERM, and SIGKILL for a process that does not end by it. Resolves with its exit code. */
    stop: async () => {
      if (exitCode === null) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/**
 * CPU time so far of a process, its living children and those it has waited for, in microseconds (steps of one
 * kernel tick, 10 ms as a rule). Linux only: from /proc/<pid>/stat, see proc(5).
 */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name in brackets may hold spaces: fields are counted from behind it (utime is the 14th).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const us = (at) => (Number(fields[at]) / ticksPerSecond) * 1e6;
  let user = us(11) + us(13);
  let kernel = us(12) + us(14);
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    for (const child of children === '' ? [] : children.split(' ')) {
      const inner = cpuOf(child);
      user += inner.user;
      kernel += inner.kernel;
    }
  }
  return { user, kernel };
}

/**
 * CPU time so far of the threads of one process, in microseconds with fractions: what the scheduler has counted, see
 * /proc/<pid>/schedstat in the kernel's documentation. A kernel that does not count it gives `cpuOf` without children,
 * in ticks. Threads that have ended are left out, so it suits processes that keep theirs, as Node does.
 */
export function runTimeOf(pid) {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readSchedule(`/proc/${pid}/task/${task}/schedstat`);
    if (text === null) {
      const { user, kernel } = cpuOf(pid);
      return user + kernel;
    }
    nanoseconds += Number(text.slice(0, text.indexOf(' ')));
  }
  return nanoseconds / 1000;
}

function readSchedule(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
