/**
 * Runs the `rollout` command as a child process, as a user would: `up` in the background, verbs to their end.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';

export interface RunningSluice {
  /** What `rollout up` said: where it listens. */
  readonly gateway: string;
  readonly metrics: string;
  readonly api: string;
  /** SIGTERM, then waits for the end. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;

/** `command`: path of the compiled `rollout`. Rejects with the child's own words when it does not come up. */
export async function startSluice(command: string, dir: string): Promise<RunningSluice> {
  const args = [command, 'up', '--api', '127.0.0.1:0', '--state-dir', 'state'];
  const child = spawn(process.execPath, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complained = `${complained}${chunk}`.slice(-4000);
  });
  const found = await new Promise<Record<string, string>>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`rollout up did not start in time\n${complained}`)),
      START_TIMEOUT_MS,
    );
    child.once('exit', (code) => reject(new Error(`rollout up ended with ${code}\n${complained}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk;
      const places = Object.fromEntries(
        [...said.matchAll(/^(gateway|metrics|control API) +(http\S+)$/gm)].map(([, key, url]) => [key, url]),
      );
      if (!places['control API']) return;
      clearTimeout(timer);
      resolve(places);
    });
  });
  return {
    gateway: found.gateway as string,
    metrics: found.metrics as string,
    api: found['control API'] as string,
    stop: () => endOf(child),
  };
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

/** Runs a verb on this terminal; resolves with its exit code. */
export function runVerb(command: string, args: readonly string[], server: string): Promise<number> {
  const env = { ...process.env, SLUICE_SERVER: server };
  const child = spawn(process.execPath, [command, ...args], {
    env,
    stdio: ['inherit', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 130 : (code ?? 1)));
  });
}
