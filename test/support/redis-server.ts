/**
 * Real Redis servers for tests: one server or a cluster of three, each in a directory of its own.
 * Owns the processes that it starts; knows nothing of the adapters.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

const MISSING = 'redis-server is not installed: run `apt-get install redis-server`, then test again';
const START_TIMEOUT_MS = 30_000;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Ends the server in order and removes its files. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL: nothing is written that was not on disk. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what is on disk. Kills it first when it still runs. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered, until `thaw` or `kill`. */
  freeze(): void;
  thaw(): void;
  /** One command, outside of every adapter; the raw reply. */
  command(...words: string[]): Promise<string>;
}

/** `persistent`: every write is on disk before it is answered; otherwise a restart comes back empty. */
export async function startRedis(
  options: { readonly persistent?: boolean; readonly password?: string } = {},
): Promise<RedisServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const durable = options.persistent ? ['--appendonly', 'yes', '--appendfsync', 'always'] : [];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...durable];
  if (options.password !== undefined) args.push('--requirepass', options.password);
  let child = await launch(args, port);

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    await exited;
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async stop() {
      await end('SIGTERM');
      await rm(dir, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL');
      child = await launch(args, port);
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    command: (...words) => command(port, words),
  };
}

export interface RedisCluster {
  readonly url: string;
  /** Removes all keys of all nodes. */
  clear(): Promise<void>;
  /** SIGKILL of all nodes. Idempotent. */
  stop(): Promise<void>;
}

/** Three masters without replicas. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-cluster-'));
  const children: ChildProcess[] = [];
  const ports: number[] = [];
  for (let node = 0; node < 3; node += 1) {
    const [port, busPort] = [await freePort(), await freePort()];
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)];
    children.push(await launch([...place, ...cluster, '--cluster-config-file', `${port}.conf`], port));
    ports.push(port);
  }
  const hosts = ports.map((port) => `127.0.0.1:${port}`);
  const create = spawn('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes'], { stdio: 'ignore' });
  const [code] = await once(create, 'exit');
  if (code !== 0) throw new Error(`redis-cli --cluster create ended with ${code}`);
  for (const port of ports) {
    await eventually(async () => (await command(port, ['CLUSTER', 'INFO'])).includes('cluster_state:ok'));
  }
  return {
    url: `redis+cluster://${hosts.join(',')}`,
    async clear() {
      for (const port of ports) await command(port, ['FLUSHALL']);
    },
    async stop() {
      for (const child of children) await killNow(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export interface RedisSentinel {
  readonly url: string;
  /** SIGKILL of the master; resolves when the sentinel has promoted the replica. */
  killMaster(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, a replica and one sentinel, whose word is enough. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-sentinel-'));
  const [masterPort, replicaPort, port] = [await freePort(), await freePort(), await freePort()];
  const server = (own: number): string[] => ['--port', String(own), '--bind', '127.0.0.1', '--save', ''];
  const place = ['--dir', dir];
  const master = await launch([...server(masterPort), ...place], masterPort);
  const follow = ['--replicaof', '127.0.0.1', String(masterPort), '--repl-diskless-sync-delay', '0'];
  const replica = await launch([...server(replicaPort), ...place, ...follow], replicaPort);
  const config = join(dir, 'sentinel.conf');
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor main 127.0.0.1 ${masterPort} 1`,
    'sentinel down-after-milliseconds main 1000',
    'sentinel failover-timeout main 3000',
  ];
  await writeFile(config, `${settings.join('\n')}\n`);
  const sentinel = await launch([config, '--sentinel'], port);
  await eventually(async () => /slaves=1/.test(await command(port, ['INFO', 'sentinel'])), 15_000);
  await eventually(async () =>
    /master_link_status:up/.test(await command(replicaPort, ['INFO', 'replication'])),
  );
  return {
    url: `redis+sentinel://127.0.0.1:${port}/main`,
    async killMaster() {
      await killNow(master);
      const promoted = async (): Promise<boolean> =>
        (await command(port, ['SENTINEL', 'get-master-addr-by-name', 'main'])).includes(String(replicaPort));
      // On a machine too busy to keep time, a sentinel stands still for 30 seconds (tilt mode) before it acts.
      await eventually(promoted, 60_000);
    },
    async stop() {
      for (const child of [sentinel, replica, master]) await killNow(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function killNow(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function launch(args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  // A test run that is cut short leaves no server behind.
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new Error(MISSING, { cause: error })));
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code} while starting`)));
  });
  // After the start nobody waits for it any more, and an exit is no failure of its own.
  failed.catch(() => undefined);
  const answers = eventually(
    async () => /^(\+PONG|-NOAUTH)/.test(await command(port, ['PING'])),
    START_TIMEOUT_MS,
  );
  await Promise.race([answers, failed]);
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Sends an inline command and returns the first piece of the reply; empty when nobody listens. */
function command(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.write(`${words.join(' ')}\r\n`));
    socket.once('data', (data) => {
      resolve(data.toString('utf8'));
      socket.destroy();
    });
    socket.once('error', () => resolve(''));
    socket.once('close', () => resolve(''));
  });
}
