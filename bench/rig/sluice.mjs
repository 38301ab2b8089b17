/**
 * Starts Sluice's own processes and the rig around them for a benchmark: `rollout gateway`, `rollout operator`, the
 * upstream, the load generator, a Redis. Knows how they are started, not what is measured.
 * @module
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startProcess } from './process-tree.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const RIG = join(ROOT, 'bench', 'rig');

/** Loads a module of the build, such as `adapters/redis/open-redis.js`. */
export function load(dist, module) {
  return import(pathToFileURL(join(resolve(ROOT, dist), module)).href);
}

/** A folder of its own, gone when the benchmark ends. */
export function scratchFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  folders.push(folder);
  return folder;
}

const folders = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Both versions of the upstream. */
export async function startUpstream(bytes, core) {
  const handle = startProcess(process.execPath, [join(RIG, 'upstream.mjs'), String(bytes)], { core });
  const port = async (version) => Number((await handle.matching(new RegExp(`^${version} (\\d+)$`)))[1]);
  return { ...handle, v1: await port('v1'), v2: await port('v2') };
}

/** The load generator, or another `module` with verbs; `ask(verb, options)` resolves with its answer (see `load.mjs`). */
export function startLoad(core, module = join(RIG, 'load.mjs')) {
  const handle = startProcess(process.execPath, [module], { core, ipc: true });
  const open = new Map();
  let next = 0;
  handle.child.on('message', ({ id, value, error }) => {
    const { settle, fail } = open.get(id);
    open.delete(id);
    if (error === undefined) settle(value);
    else fail(new Error(`load generator: ${error}`));
  });
  handle.exited.then((code) => {
    for (const { fail } of open.values()) fail(new Error(`the load generator ended with ${code}`));
  });
  return {
    ...handle,
    ask: (verb, options = {}) =>
      new Promise((settle, fail) => {
        next += 1;
        open.set(next, { settle, fail });
        handle.child.send({ id: next, verb, options });
      }),
  };
}

/** The gateway's configuration: one service with two versions, sticky by a header, an access log in a file. */
export function gatewayYaml({ upstream, listen, logPath, drain = '10s', responseTimeout = '5s' }) {
  return `listeners:
  - address: ${listen}
admin:
  address: 127.0.0.1:0
accessLog: { file: ${JSON.stringify(logPath)} }
drain: ${drain}
services:
  orders:
    versions:
      v1: { endpoints: ["http://127.0.0.1:${upstream.v1}"] }
      v2: { endpoints: ["http://127.0.0.1:${upstream.v2}"] }
    sticky:
      - header: x-user-id
      - ip
routes:
  - name: orders
    match: { prefix: /orders }
    service: orders
    timeout: { connect: 1s, response: ${responseTimeout}, total: 10s }
    retry: { attempts: 1 }
`;
}

/** Starts `rollout gateway`; resolves when it listens. */
export async function startSluice({
  dist,
  configPath,
  stateDir,
  name,
  core = null,
  redisUrl = null,
  nodeFlags = [],
}) {
  const args = [
    ...nodeFlags,
    join(resolve(ROOT, dist), 'bin', 'rollout.js'),
    'gateway',
    '--gateway',
    configPath,
    '--state-dir',
    stateDir,
    '--name',
    name,
    '--log-level',
    'info',
    ...(redisUrl === null ? [] : ['--redis', redisUrl]),
  ];
  const handle = startProcess(process.execPath, args, { core });
  const port = Number((await handle.matching(/^gateway +https?:\/\/[^:]+:(\d+)/))[1]);
  const adminPort = Number((await handle.matching(/^metrics +http:\/\/[^:]+:(\d+)/))[1]);
  return { ...handle, name, port, adminPort };
}

/** Starts `rollout up`: a gateway and the control API in one process; resolves when both listen. */
export async function startUp(files) {
  const handle = startControl('up', files, ['--log-level', 'error']);
  const port = Number((await handle.matching(/^gateway +http:\/\/[^:]+:(\d+)/))[1]);
  return { ...handle, port, url: await controlUrl(handle) };
}

/** Starts `rollout operator`, open to this machine; resolves when its control API listens, with its `url`. */
export async function startOperator({ redisUrl, ...files }) {
  const handle = startControl('operator', files, [
    '--open-loopback',
    '--log-level',
    'info',
    '--redis',
    redisUrl,
  ]);
  return { ...handle, url: await controlUrl(handle) };
}

function startControl(verb, { dist, configPath, rolloutsDir, stateDir }, more) {
  const program = join(resolve(ROOT, dist), 'bin', 'rollout.js');
  const files = ['--gateway', configPath, '--rollouts', rolloutsDir, '--state-dir', stateDir];
  return startProcess(process.execPath, [program, verb, '--api', '127.0.0.1:0', ...files, ...more]);
}

async function controlUrl(handle) {
  const [, url] = await handle.matching(/^control API +(http\S+)/);
  return url;
}

/** A Redis of its own on a free port; `durable`: every write is on disk before it is answered. */
export async function startRedis(folder, durable) {
  const port = await freePort();
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    durable ? 'yes' : 'no',
    '--appendfsync',
    'always',
    '--dir',
    folder,
  ];
  const handle = startProcess('redis-server', args);
  await handle.matching(/Ready to accept connections/);
  return { ...handle, port, url: `redis://127.0.0.1:${port}` };
}

function freePort() {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => settle(port));
    });
  });
}

/** A split document as an operator writes it. `canaryBp`: basis points of v2. */
export function splitDocument({ revision, canaryBp, epoch = 1, lease = null }) {
  return {
    service: 'orders',
    revision,
    epoch,
    rollout: 'orders-v2#1',
    baseline: 'v1',
    canary: 'v2',
    weights: { v1: 10_000 - canaryBp, v2: canaryBp },
    matches: [],
    salt: 'orders/orders-v2',
    lease,
    issuedAtMs: Date.now(),
  };
}
