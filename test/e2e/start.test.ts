/**
 * Who may use a control API that has just been started, and what a process says that cannot start.
 * @module
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SluiceProject } from '../support/sluice-process.ts';

const ROLLOUT = join(process.cwd(), process.env.SLUICE_ROLLOUT ?? 'dist/bin/rollout.js');
const TOKEN = 'a-token-for-this-test';
const TOKENS = [{ name: 'ci', role: 'operator', token: { file: 'ci.token' } }];

let project: SluiceProject;

beforeEach(async () => {
  project = await SluiceProject.create({ services: ['orders'], redisUrl: null });
});

afterEach(() => project.close());

/** Runs `rollout` until it ends by itself; one that does not is killed and has no code. */
async function run(args: readonly string[], deadlineMs = 20_000) {
  const child = spawn(process.execPath, [ROLLOUT, ...args], {
    cwd: project.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', SLUICE_REDIS: '' },
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code, stdout, stderr };
}

describe('an operator', () => {
  const status = async (url: string, headers: Readonly<Record<string, string>> = {}) =>
    (await fetch(`${url}/api/v1/rollouts`, { headers })).status;

  it('without tokens does not start unless clients on its machine are let in explicitly', async () => {
    const refused = await run(['operator', '--api', '127.0.0.1:0']);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('operator.yaml declares no operator.api.tokens');
    expect(refused.stderr).toContain('--open-loopback');

    const open = await project.startOperator('open', ['--open-loopback']);
    expect(await status(open.api.url)).toBe(200);
  });

  it('with tokens asks clients on its own machine for one too', async () => {
    await project.configureOperator({ api: { tokens: TOKENS } });
    await writeFile(join(project.dir, 'rollouts/ci.token'), TOKEN);
    const operator = await project.startOperator('closed', []);
    expect(await status(operator.api.url)).toBe(401);
    expect(await status(operator.api.url, { authorization: `Bearer ${TOKEN}` })).toBe(200);
  });
});

describe('everything in one process', () => {
  it('lets clients on its machine in only while no tokens are declared', async () => {
    const up = await project.startUp();
    const status = async () => (await fetch(`${up.api.url}/api/v1/rollouts`)).status;
    expect(await status()).toBe(200);
    await project.configureOperator({ api: { tokens: TOKENS } });
    await writeFile(join(project.dir, 'rollouts/ci.token'), TOKEN);
    await up.restart('SIGTERM');
    expect(await status()).toBe(401);
  });
});
