/**
 * A real Prometheus for tests, and a real HTTP target for it to scrape. Owns the process, its folder and its
 * port; knows nothing of what the tests ask it.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface PrometheusServer {
  readonly url: string;
  /** Ends the process and removes its folder. Idempotent. */
  stop(): Promise<void>;
  /**
   * SIGSTOP: connections are accepted by the kernel and never answered. Resolves when every thread has stopped,
   * which takes a moment on a busy machine.
   */
  pause(): Promise<void>;
  resume(): void;
}

export interface PrometheusServerOptions {
  /** `host:port` of what it scrapes. */
  readonly targets: readonly string[];
  /** Whole milliseconds; also the scrape time-out. */
  readonly scrapeIntervalMs: number;
  /** What it has stored already: OpenMetrics text with a time stamp for each sample, ending in `# EOF`. */
  readonly past?: string;
}

export async function startPrometheus(options: PrometheusServerOptions): Promise<PrometheusServer> {
  const binary = (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/bin', '/usr/local/bin')
    .map((folder) => join(folder, 'prometheus'))
    .find((path) => existsSync(path));
  if (!binary) throw new Error('prometheus is not installed: apt-get install prometheus');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  await writeFile(join(folder, 'prometheus.yml'), configuration(options));
  if (options.past !== undefined) await backfill(binary, folder, options.past);
  // Another process may take the free port before Prometheus does: then it exits, and another port is tried.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = spawnPrometheus(binary, folder, port);
    const url = `http://127.0.0.1:${port}`;
    const problem = await untilReady(child, url, 30_000);
    if (problem === null) return handle(child, folder, url);
    child.kill('SIGKILL');
    if (attempt === 3) {
      await rm(folder, { recursive: true, force: true });
      throw new Error(`prometheus did not start: ${problem}`);
    }
  }
}

function configuration({ targets, scrapeIntervalMs }: PrometheusServerOptions): string {
  return JSON.stringify({
    global: { scrape_interval: `${scrapeIntervalMs}ms`, scrape_timeout: `${scrapeIntervalMs}ms` },
    scrape_configs: [{ job_name: 'sluice', static_configs: [{ targets }] }],
  });
}

/** By promtool, which comes with Prometheus. */
async function backfill(binary: string, folder: string, past: string): Promise<void> {
  const file = join(folder, 'past.txt');
  await writeFile(file, past);
  const argv = ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, join(folder, 'data')];
  const child = spawn(join(dirname(binary), 'promtool'), argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`promtool could not store the past: ${said}`);
}

function spawnPrometheus(binary: string, folder: string, port: number): ChildProcess {
  const flags = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ];
  return spawn(binary, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Null when it answers /-/ready, else what went wrong. */
async function untilReady(child: ChildProcess, url: string, withinMs: number): Promise<string | null> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  let spawnError: Error | null = null;
  child.on('error', (error) => {
    spawnError = error;
  });
  const deadlineMs = Date.now() + withinMs;
  while (Date.now() < deadlineMs) {
    if (spawnError || child.exitCode !== null) return said || String(spawnError ?? 'it exited');
    try {
      const response = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1000) });
      await response.arrayBuffer();
      if (response.ok) return null;
    } catch {
      // Not listening yet.
    }
    await delay(50);
  }
  return `not ready within ${withinMs} ms`;
}

function handle(child: ChildProcess, folder: string, url: string): PrometheusServer {
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      // SIGKILL also ends a paused process, and there is nothing to save.
      child.kill('SIGKILL');
      await exited;
    }
    await rm(folder, { recursive: true, force: true });
  };
  return {
    url,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    async pause() {
      child.kill('SIGSTOP');
      while (!(await isStopped(child.pid))) await delay(5);
    },
    resume() {
      child.kill('SIGCONT');
    },
  };
}

/** Linux: the state of each thread is the field after its name, `T` when stopped. */
async function isStopped(pid: number | undefined): Promise<boolean> {
  const tasks = `/proc/${pid}/task`;
  const states = await Promise.all(
    (await readdir(tasks)).map(async (task) => {
      // A thread that has just ended counts as running; the next look no longer lists it.
      const stat = await readFile(join(tasks, task, 'stat'), 'utf8').catch(() => '');
      return stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
    }),
  );
  return states.every((state) => state === 'T');
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return address.port;
}

export interface MetricsTarget {
  /** `host:port`. */
  readonly address: string;
  /** What the next scrape reads: Prometheus text exposition. */
  expose(text: string): void;
  /** Scrapes that have been answered since the last `expose`. */
  scrapes(): number;
  close(): Promise<void>;
}

export async function startMetricsTarget(): Promise<MetricsTarget> {
  let exposition = '';
  let scrapes = 0;
  const server = createServer((_request, response) => {
    scrapes += 1;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(exposition);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return {
    address: `127.0.0.1:${address.port}`,
    expose(text) {
      exposition = text;
      scrapes = 0;
    },
    scrapes: () => scrapes,
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
