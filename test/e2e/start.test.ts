/**
 * Who may use a control API that has just been started, and what a process says that cannot start.
 * @module
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis-server.ts';
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
async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, deadlineMs = 20_000) {
  const child = spawn(process.execPath, [ROLLOUT, ...args], {
    cwd: project.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', SLUICE_REDIS: '', ...env },
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
    expect(refused.stderr).toMatch(/operator\.yaml(?::\d+:\d+)? declares no operator\.api\.tokens/);
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

describe('a process that cannot start', () => {
  let taken: Server;
  let port: number;

  beforeEach(async () => {
    taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    port = (taken.address() as AddressInfo).port;
  });

  afterEach(() => void taken.close());

  /** A gateway file whose listener and admin listener have these ports; 0 picks a free one. */
  const gatewayOn = async (listener: number, admin: number): Promise<string> => {
    await project.writeGateway('taken', listener, admin);
    return 'proxy/taken.yaml';
  };

  it.each<[string, (taken: number) => Promise<readonly string[]>, RegExp]>([
    [
      'its port',
      async (taken) => ['gateway', '--gateway', await gatewayOn(taken, 0)],
      /listeners\[0\]\.address of \S+taken\.yaml:\d+:\d+, or/,
    ],
    [
      'its admin port',
      async (taken) => ['gateway', '--gateway', await gatewayOn(0, taken)],
      /admin\.address of \S+taken\.yaml:\d+:\d+, or/,
    ],
    [
      'its API port',
      async (taken) => ['operator', '--open-loopback', '--api', `127.0.0.1:${taken}`],
      /--api/,
    ],
    [
      'the API port of everything in one process',
      async (taken) => ['up', '--api', `127.0.0.1:${taken}`, '--gateway', await gatewayOn(0, 0)],
      /--api/,
    ],
    [
      'the gateway port of everything in one process',
      async (taken) => ['up', '--api', '127.0.0.1:0', '--gateway', await gatewayOn(taken, 0)],
      /listeners\[0\]\.address of \S+taken\.yaml:\d+:\d+, or/,
    ],
  ])('because %s is in use names the address and the setting, and ends', async (_what, argv, key) => {
    const ended = await run(await argv(port));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(
      `error: This process cannot start: cannot listen at 127.0.0.1:${port}: it is in use\n`,
    );
    expect(ended.stderr).toContain('Choose another address in ');
    expect(ended.stderr).toMatch(key);
    expect(ended.stderr).not.toContain('inside Sluice');
  });

  it('because its state folder is a file says so', async () => {
    await writeFile(join(project.dir, 'a-file'), '');
    const ended = await run(['up', '--api', '127.0.0.1:0', '--state-dir', 'a-file']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /cannot keep state in a-file: (there is a file of that name|a part of the path)/,
    );
    expect(ended.stderr).toContain('Name a folder that this user may write with --state-dir.');
  });

  it('because its state folder cannot be made says so, and does not try for ever', async () => {
    const ended = await run(['up', '--api', '127.0.0.1:0', '--state-dir', '/proc/sluice/state']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('cannot keep state in /proc/sluice/state: it cannot be created there');
  });

  it('because the URL of Redis is none names the flag or the variable that has it', async () => {
    const flag = await run(['gateway', '--redis', 'redis:/nowhere']);
    const variable = await run(['operator', '--open-loopback'], { SLUICE_REDIS: 'redis:/nowhere' });
    expect([flag.code, variable.code]).toEqual([2, 2]);
    expect(flag.stderr).toContain('--redis: the Redis URL cannot be used');
    expect(variable.stderr).toContain('SLUICE_REDIS: the Redis URL cannot be used');
  });

  it('because a secret or the folder of its log is not there names the place of the setting', async () => {
    await project.configureOperator({
      api: { tokens: [{ name: 'ci', role: 'admin', token: { env: 'NOT_SET' } }] },
    });
    const secret = await run(['operator', '--api', '127.0.0.1:0']);
    expect(secret.code).toBe(2);
    expect(secret.stderr).toMatch(
      /operator\.yaml:\d+:\d+ operator\.api\.tokens\[0\]\.token: the environment variable NOT_SET is not set/,
    );
    await project.writeGateway('taken', 0, 0, { accessLog: { file: 'nowhere/access.log' } });
    const logless = await run(['gateway', '--gateway', 'proxy/taken.yaml']);
    expect(logless.code).toBe(1);
    expect(logless.stderr).toMatch(/cannot write the access log to \S*nowhere\/access\.log: ENOENT/);
    expect(logless.stderr).toMatch(/accessLog\.file of \S+taken\.yaml:\d+:\d+\./);
  });

  it('because Redis refuses its password says so', async () => {
    const redis = await startRedis({ password: 'right' });
    const wrong = await run(['operator', '--open-loopback', '--api', '127.0.0.1:0'], {
      SLUICE_REDIS: redis.url.replace('redis://', 'redis://:wrong@'),
    });
    const none = await run(['operator', '--open-loopback', '--api', '127.0.0.1:0', '--redis', redis.url]);
    await redis.stop();
    for (const { code, stderr } of [wrong, none]) {
      expect(code).toBe(2);
      expect(stderr).toContain('refuses the credentials');
      expect(stderr).not.toContain('wrong@');
    }
  });
});

describe('a process whose Redis is not there', () => {
  it('says that it waits, and ends at SIGTERM even then', async () => {
    const child = spawn(
      process.execPath,
      [ROLLOUT, 'operator', '--open-loopback', '--api', '127.0.0.1:0', '--redis', 'redis://127.0.0.1:1'],
      { cwd: project.dir, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } },
    );
    const exited = once(child, 'exit');
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += String(chunk);
    });
    await eventually(() => said.includes('no connection to Redis; waiting for it'));
    expect(said).toContain('redis://127.0.0.1:1');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });
});
