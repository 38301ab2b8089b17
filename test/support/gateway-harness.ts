/**
 * Starts real upstreams and gateways on loopback for tests, and talks to them: by undici or byte by byte.
 * Everything started through a harness is closed by its `close`.
 * @module
 */

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { request as undiciRequest } from 'undici';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { OutcomeCounts } from '../../src/core/domain/telemetry.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import type { CacheTier } from '../../src/ports/cache-tier.ts';
import type { PurgeChannel } from '../../src/ports/purge-channel.ts';
import type { SharedState } from '../../src/ports/shared-state.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type SwitchableChannel, type SwitchableStream, switchableBackend } from './switchable-ports.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Upstream {
  readonly url: string;
  readonly server: Server;
  /** Every request that arrived, oldest first. */
  readonly seen: IncomingMessage[];
}

export class GatewayHarness {
  readonly channel: SwitchableChannel;
  readonly stream: SwitchableStream;
  readonly shared: SharedState;
  readonly purges: PurgeChannel;
  readonly tier: CacheTier;
  readonly log: string[] = [];
  readonly #closers: (() => Promise<unknown>)[] = [];

  private constructor({
    channel,
    stream,
    shared,
    purges,
    tier,
  }: Awaited<ReturnType<typeof switchableBackend>>) {
    this.channel = channel;
    this.stream = stream;
    this.shared = shared;
    this.purges = purges;
    this.tier = tier;
  }

  static async open(): Promise<GatewayHarness> {
    const backend = await switchableBackend();
    const harness = new GatewayHarness(backend);
    harness.onClose(backend.close);
    return harness;
  }

  /** An HTTP server on a free port. */
  async upstream(listener: RequestListener): Promise<Upstream> {
    const seen: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      seen.push(request);
      listener(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onClose(
      () =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    );
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, seen };
  }

  /** An upstream whose body is its name. */
  named(name: string): Promise<Upstream> {
    return this.upstream((_request, response) => response.end(name));
  }

  async gateway(
    config: GatewayConfig,
    changes: {
      stateDir?: string;
      incarnation?: string;
      shared?: SharedState;
      purges?: PurgeChannel;
      tier?: CacheTier;
      nowMs?: () => number;
      /** What deadlines and latencies are measured by: a clock that a test moves makes load no matter. */
      monotonicMs?: () => number;
      env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Gateway> {
    const gateway = await startGateway({
      config,
      channel: this.channel,
      telemetry: this.stream,
      shared: changes.shared ?? this.shared,
      purges: changes.purges ?? this.purges,
      tier: changes.tier ?? this.tier,
      clock: { nowMs: changes.nowMs ?? (() => Date.now()) },
      stateDir: changes.stateDir ?? null,
      logger: createLogger({
        level: 'debug',
        component: 'gateway',
        destination: { write: (line) => this.log.push(line) },
      }),
      incarnation: changes.incarnation ?? 'test-1',
      env: changes.env ?? {},
      ...(changes.monotonicMs && { monotonicMs: changes.monotonicMs }),
    });
    this.onClose(() => gateway.close());
    return gateway;
  }

  /** How often a version had an outcome, over everything that gateways have reported. */
  outcomes(version: string, view: 'attempts' | 'responses', outcome: keyof OutcomeCounts): number {
    return this.stream.summaries.reduce(
      (sum, { versions }) => sum + (versions[version]?.[view].outcomes[outcome] ?? 0),
      0,
    );
  }

  onClose(closer: () => Promise<unknown>): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.splice(0).reverse()) await closer();
  }
}

export function portOf(gateway: Gateway): number {
  return gateway.addresses[0]?.port ?? 0;
}

export async function call(
  gateway: Gateway,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Reply> {
  const response = await undiciRequest(`http://127.0.0.1:${portOf(gateway)}${path}`, {
    method: (options.method ?? 'GET') as 'GET',
    headers: options.headers ?? {},
    body: options.body ?? null,
  });
  return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
}

export async function admin(gateway: Gateway, path: string): Promise<Reply> {
  const response = await undiciRequest(`http://127.0.0.1:${gateway.adminAddress.port}${path}`);
  return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
}

/** Sends bytes and returns everything that comes until the peer closes. */
export function raw(port: number, bytes: string, onSocket?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end after: ${text}`)));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(text);
      else reject(error);
    });
    socket.on('close', () => resolve(text));
    socket.on('connect', () => {
      socket.write(bytes, 'latin1');
      onSocket?.(socket);
    });
  });
}

/** Waits until `check` returns something other than undefined or false; fails after `timeoutMs`. */
export async function eventually<T>(check: () => T | undefined | false, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A sound split of a service with a canary. */
export function splitOf(
  service: string,
  revision: number,
  canaryBp: number,
  changes: Partial<SplitDocument> = {},
): SplitDocument {
  return {
    service,
    revision,
    epoch: 1,
    rollout: `${service}#1`,
    baseline: 'v1',
    canary: 'v2',
    weights: { v1: 10_000 - canaryBp, v2: canaryBp },
    matches: [],
    salt: 'test',
    lease: null,
    issuedAtMs: 0,
    ...changes,
  };
}
