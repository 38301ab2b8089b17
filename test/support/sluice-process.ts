/**
 * Real `rollout` processes for end-to-end tests: a project on disk, its processes with fixed ports, signals and
 * restarts. Owns every process and file that it makes; knows nothing of what a test expects of them.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { ControlClient } from './sluice-client.ts';
import { type Orders, startOrdersPair } from './sluice-orders.ts';

/** `npm test` builds it first; the variable lets a run use another build. */
const ROLLOUT = process.env.SLUICE_ROLLOUT ?? 'dist/bin/rollout.js';
const START_MS = 180_000;
const STOP_MS = 120_000;
const KEPT_OUTPUT = 20_000;

/** What a rollout file says, as data: YAML reads JSON. */
export interface RolloutSpec {
  readonly rollout: string;
  readonly service: string;
  readonly steps: 'auto' | readonly Readonly<Record<string, unknown>>[];
  readonly [key: string]: unknown;
}

export interface ProjectOptions {
  /** Each gets a pair of `orders` versions, v1 and v2, and a route `/<service>`. */
  readonly services: readonly string[];
  /** Null: embedded, everything in one process (`up`). */
  readonly redisUrl: string | null;
  /** Instances of each v2. Default 1. */
  readonly instances?: number;
  /** Routes before those of the services, by name: path prefix and service. */
  readonly routes?: Readonly<Record<string, { readonly prefix: string; readonly service: string }>>;
}

export class SluiceProject {
  readonly dir: string;
  readonly orders: ReadonlyMap<string, Orders>;
  readonly #options: ProjectOptions;
  readonly #processes: SluiceProcess[] = [];

  private constructor(dir: string, options: ProjectOptions, orders: ReadonlyMap<string, Orders>) {
    this.dir = dir;
    this.orders = orders;
    this.#options = options;
  }

  static async create(options: ProjectOptions): Promise<SluiceProject> {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    await mkdir(join(dir, 'proxy'));
    await mkdir(join(dir, 'rollouts'));
    const orders = new Map<string, Orders>();
    for (const service of options.services) orders.set(service, await startOrdersPair(options.instances));
    const project = new SluiceProject(dir, options, orders);
    // The operator needs a gateway file to know services by, and never listens on its addresses.
    await project.writeGateway('gateway', 1, 1);
    return project;
  }

  ordersOf(service: string): Orders {
    const orders = this.orders.get(service);
    if (!orders) throw new Error(`the project has no service ${service}`);
    return orders;
  }

  /** Baseline v1, canary v2, unless the spec says otherwise. Rules judge from few requests. */
  async declare(spec: RolloutSpec): Promise<void> {
    const file = { baseline: 'v1', canary: 'v2', ...spec };
    await writeFile(join(this.dir, `rollouts/${spec.rollout}.yaml`), JSON.stringify(file, null, 2));
  }

  /** What `rollouts/operator.yaml` says, for operators that start from now on. */
  async configureOperator(operator: Readonly<Record<string, unknown>>): Promise<void> {
    await writeFile(join(this.dir, 'rollouts/operator.yaml'), JSON.stringify({ operator }, null, 2));
  }

  /** Gateway, operator and control API in one process. */
  async startUp(): Promise<SluiceProcess> {
    const ports = { proxy: await freePort(), admin: await freePort(), api: await freePort() };
    await this.writeGateway('gateway', ports.proxy, ports.admin);
    const args = ['up', '--gateway', 'proxy/gateway.yaml', '--rollouts', 'rollouts'];
    return this.#start('up', [...args, '--api', `127.0.0.1:${ports.api}`], ports);
  }

  async startGateway(name: string): Promise<SluiceProcess> {
    const ports = { proxy: await freePort(), admin: await freePort(), api: null };
    await this.writeGateway(name, ports.proxy, ports.admin);
    return this.#start(name, ['gateway', '--gateway', `proxy/${name}.yaml`, '--name', name], ports);
  }

  async startOperator(name: string, flags = ['--open-loopback']): Promise<SluiceProcess> {
    const ports = { proxy: null, admin: null, api: await freePort() };
    const args = ['operator', ...flags, '--gateway', 'proxy/gateway.yaml', '--rollouts', 'rollouts'];
    return this.#start(name, [...args, '--api', `127.0.0.1:${ports.api}`], ports);
  }

  /** Writes or rewrites a gateway's file; `changes` replaces top-level keys. */
  async writeGateway(
    name: string,
    proxyPort: number,
    adminPort: number,
    changes: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    await writeFile(
      join(this.dir, `proxy/${name}.yaml`),
      JSON.stringify({ ...this.#gatewayFile(proxyPort, adminPort), ...changes }, null, 2),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill('SIGKILL')));
    await Promise.all([...this.orders.values()].map((orders) => orders.close()));
    await rm(this.dir, { recursive: true, force: true });
  }

  async #start(name: string, args: readonly string[], ports: Ports): Promise<SluiceProcess> {
    const { redisUrl } = this.#options;
    const shared = ['--state-dir', `state-${name}`, '--log-level', 'info'];
    const redis = redisUrl === null ? [] : ['--redis', redisUrl];
    const process = new SluiceProcess(this.dir, name, [...args, ...shared, ...redis], ports);
    this.#processes.push(process);
    await process.start();
    return process;
  }

  #gatewayFile(proxyPort: number, adminPort: number) {
    const services = Object.fromEntries(
      [...this.orders].map(([name, { v1, canaries }]) => [
        name,
        {
          versions: { v1: { endpoints: [v1.url] }, v2: { endpoints: canaries.map(({ url }) => url) } },
          sticky: [{ header: 'x-user-id' }, 'ip'],
        },
      ]),
    );
    return {
      listeners: [{ address: `127.0.0.1:${proxyPort}` }],
      admin: { address: `127.0.0.1:${adminPort}` },
      accessLog: 'off',
      drain: '5s',
      services,
      routes: [
        ...Object.entries(this.#options.routes ?? {}),
        ...Object.keys(services).map((name) => [name, { prefix: `/${name}`, service: name }] as const),
      ].map(([name, { prefix, service }]) => ({
        name,
        match: { prefix },
        service,
        retry: false,
        // The services answer in the process of the test, which may have to wait for its turn.
        timeout: { connect: '10s' },
      })),
    };
  }
}

interface Ports {
  readonly proxy: number | null;
  readonly admin: number | null;
  readonly api: number | null;
}

/** One process of the project, started again on the same ports and state as often as a test likes. */
export class SluiceProcess {
  readonly name: string;
  readonly ports: Ports;
  readonly #dir: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #output = '';

  constructor(dir: string, name: string, args: readonly string[], ports: Ports) {
    this.#dir = dir;
    this.name = name;
    this.#args = args;
    this.ports = ports;
  }

  /** Base URL of the traffic listener. */
  get url(): string {
    return `http://127.0.0.1:${this.ports.proxy}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.ports.admin}`;
  }

  get api(): ControlClient {
    return new ControlClient(`http://127.0.0.1:${this.ports.api}`);
  }

  /** What it has said so far, newest last. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when every port answers. */
  async start(): Promise<void> {
    const script = join(process.cwd(), ROLLOUT);
    const child = spawn(process.execPath, [script, ...this.#args], {
      cwd: this.#dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-KEPT_OUTPUT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    await eventually(async () => {
      if (!this.running) return true;
      return (await this.#adminReady()) && (await this.#apiReady());
    }, START_MS).catch((error) => this.#explain(error));
    if (!this.running) this.#explain(new Error(`exit code ${child.exitCode} while starting`));
  }

  /** Sends a signal and waits for the end. Nothing happens when it has ended already. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || !this.running) return;
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    child.kill(signal);
    await exited.catch((error) => this.#explain(error));
  }

  /** Sends a signal that does not end it, such as SIGHUP, SIGSTOP or SIGCONT. */
  signal(signal: 'SIGHUP' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.#child?.kill(signal);
  }

  async restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.kill(signal);
    await this.start();
  }

  async #adminReady(): Promise<boolean> {
    return this.ports.admin === null || answers(`${this.adminUrl}/readyz`);
  }

  async #apiReady(): Promise<boolean> {
    return this.ports.api === null || answers(`http://127.0.0.1:${this.ports.api}/api/v1/healthz`);
  }

  #explain(cause: unknown): never {
    throw new Error(`process "${this.name}": ${String(cause)}\n${this.#output}`, { cause });
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Below the range from which the system takes ports of outgoing connections: so none of the many connections
 * of a test can sit on the port of a process that is down between two starts.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
let nextPort = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));

async function freePort(): Promise<number> {
  for (;;) {
    // Taken before anything is awaited: several may look for a port at once.
    nextPort = nextPort >= LAST_PORT ? FIRST_PORT : nextPort + 1;
    const port = nextPort;
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
