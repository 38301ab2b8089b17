/**
 * A gateway from start to close: builds the parts, swaps configurations, drains. Owns every socket and timer of
 * the data plane; knows neither command line nor environment.
 * @module
 */

import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayConfig } from '../config/gateway-model.ts';
import type { ListenerConfig } from '../config/policies/listeners.ts';
import type { ListenAddress } from '../config/primitives.ts';
import { type AdminListener, openAdmin } from './admin.ts';
import type { ClientRequest } from './client.ts';
import { compileSnapshot } from './compile-snapshot.ts';
import { type ReloadResult, restartReason, splitServices } from './config-change.ts';
import { DeadlineWheel } from './deadlines.ts';
import { Exchange, type ExchangeResponse, type Runtime } from './exchange.ts';
import { type GatewayOptions, monotonicMs, openParts, openRuntime } from './gateway-parts.ts';
import { IdentityProviders } from './identity/identity-providers.ts';
import { FIRST_WEIGHTS_MS, IDLE_GRACE_MS, LAST_ACCEPTED_MS, LOG_FLUSH_MS, SPAN_FLUSH_MS } from './limits.ts';
import { type BoundAddress, type Listener, openListener, type RequestHandler } from './listeners/listener.ts';
import { GatewayMetrics } from './metrics.ts';
import { runStages } from './pipeline.ts';
import { type Refusal, recordRefusal } from './refused.ts';
import { activate, releaseExchange, type Snapshot, type SnapshotParts, supersede } from './snapshot.ts';
import type { AppliedSplit } from './split-table.ts';
import { record } from './stages/record.ts';
import { addressProblem, openConfiguredLog } from './start-problems.ts';
import { openTracer } from './tracing/open-tracer.ts';
import { Upstreams } from './upstream/upstreams.ts';
import { within } from './within.ts';

export interface Gateway {
  /** Configured, or host name and first port. */
  readonly name: string;
  /** Actual addresses, in the order of the configuration. */
  readonly addresses: readonly BoundAddress[];
  readonly adminAddress: ListenAddress;
  splits(): readonly AppliedSplit[];
  /** Swaps the configuration; requests under way end by the one that they began with. */
  reload(config: GatewayConfig): Promise<ReloadResult>;
  /** What SIGTERM means: fails readiness, lets requests in flight end for `drainMs`, then closes. */
  drain(): Promise<void>;
  /** Ends everything at once. Idempotent. */
  close(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const running = new RunningGateway(options);
  try {
    await running.start();
    return running;
  } catch (error) {
    await running.close();
    throw error;
  }
}

class RunningGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #monotonicMs: () => number;
  readonly #wheel: DeadlineWheel;
  readonly #metrics = new GatewayMetrics();
  readonly #upstreams: Upstreams;
  readonly #identity: IdentityProviders;
  #config: GatewayConfig;
  #listeners: Listener[] = [];
  #admin: AdminListener | null = null;
  #parts: Omit<SnapshotParts, 'verifiers'> | null = null;
  #runtime: Runtime | null = null;
  /** Requests that came before the first weights were tried; null once they were. */
  #early: [...Parameters<RequestHandler>, number][] | null = [];
  #inFlight = 0;
  #onIdle: (() => void) | null = null;
  #reloading: Promise<unknown> = Promise.resolve();
  #draining: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  name = '';
  addresses: readonly BoundAddress[] = [];
  adminAddress: ListenAddress = { host: '', port: 0 };

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#monotonicMs = options.monotonicMs ?? monotonicMs;
    this.#wheel = new DeadlineWheel(this.#monotonicMs);
    this.#upstreams = new Upstreams(this.#monotonicMs, options.logger);
    const { clock, logger, env = {} } = options;
    this.#identity = new IdentityProviders({ clock, logger, metrics: this.#metrics.auth, env });
  }

  async start(): Promise<void> {
    const { config } = this.#options;
    // Sockets first: the name may need the port. Requests wait until there are weights to serve them by.
    const onRefused = (refusal: Refusal): void => {
      if (this.#runtime !== null) recordRefusal(this.#runtime, refusal);
    };
    for (const [index, settings] of config.listeners.entries()) {
      const handle: RequestHandler = (request, response) => this.#onRequest(request, response, index);
      const listener = await openListener(settings, handle, onRefused, this.#options.logger).catch(
        (error: unknown) => {
          throw addressProblem(error, config, ['listeners', index, 'address'], settings.address);
        },
      );
      this.#listeners.push(listener);
    }
    this.addresses = this.#listeners.map(({ address }) => address);
    this.name = config.name ?? `${hostname()}:${this.addresses[0]?.port ?? 0}`;
    this.#parts = openParts(this.#options, this.name, this.#metrics, this.#upstreams);
    const { splits, recorder } = this.#parts;
    const verifiers = await this.#identity.open(config);
    const tracer = await openTracer(config, this.name, this.#metrics.traces, this.#options.env);
    const accessLog = openConfiguredLog(config);
    const watched = splits.start(splitServices(config));
    await within(watched, FIRST_WEIGHTS_MS, this.#options.stopping);
    recorder.replaceServices(Object.keys(config.services));
    await this.#upstreams.prepare(config);
    const snapshot = compileSnapshot(config, { ...this.#parts, verifiers }, null);
    activate(snapshot);
    this.#runtime = openRuntime(this.#options, snapshot, {
      wheel: this.#wheel,
      metrics: this.#metrics,
      accessLog,
      tracer,
      runStages,
      beginBackground: (exchange) => this.#begin(exchange),
      onRecorded: (exchange) => this.#onRecorded(exchange.snapshot),
    });
    const { purges, stopping } = this.#options;
    await within(this.#runtime.cache.watch(purges, this.name), FIRST_WEIGHTS_MS, stopping);
    const openingAdmin = openAdmin(config.admin.address, {
      metrics: this.#metrics,
      splits: () => splits.snapshot(),
      notReady: () => (this.#draining !== null ? 'draining' : ''),
      accessLog,
      droppedSummaries: () => recorder.dropped,
      inFlight: () => this.#inFlight,
      channelConnected: () => splits.connected,
      snapshot: () => this.#runtime?.snapshot ?? null,
      discovery: () => this.#upstreams.discovery.states(),
      staleCertificates: () => this.#upstreams.tls.stale,
      listeners: () => this.#listeners,
      cache: () => this.#runtime?.cache ?? null,
    });
    this.#admin = await openingAdmin.catch((error: unknown) => {
      throw addressProblem(error, config, ['admin', 'address'], config.admin.address);
    });
    this.adminAddress = this.#admin.address;
    recorder.start();
    this.#serveEarly();
  }

  splits(): readonly AppliedSplit[] {
    return this.#parts?.splits.snapshot() ?? [];
  }

  reload(config: GatewayConfig): Promise<ReloadResult> {
    // One at a time, so that the last configuration asked for is the one in force.
    const result = this.#reloading.then(() => this.#swap(config));
    this.#reloading = result;
    return result;
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `listener`: its index in the configuration. */
  #onRequest(request: ClientRequest, response: ExchangeResponse, listener: number): void {
    const runtime = this.#runtime;
    if (this.#early !== null || runtime === null) {
      this.#early?.push([request, response, listener]);
      return;
    }
    const exchange = new Exchange(runtime, request, response, runtime.monotonicMs());
    const settings = runtime.snapshot.config.listeners[listener] ?? null;
    exchange.listener = settings;
    if (settings?.hsts != null) exchange.addedFields = ['Strict-Transport-Security', settings.hsts];
    this.#begin(exchange);
    exchange.proceed();
  }

  #begin(exchange: Exchange): void {
    exchange.snapshot.inFlight += 1;
    this.#inFlight += 1;
    exchange.response.on('close', onResponseClose);
  }

  #serveEarly(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const [request, response, listener] of early) {
      if (!response.destroyed) this.#onRequest(request, response, listener);
    }
  }

  #onRecorded(snapshot: Snapshot): void {
    this.#inFlight -= 1;
    releaseExchange(snapshot);
    if (this.#inFlight === 0) this.#onIdle?.();
  }

  async #swap(config: GatewayConfig): Promise<ReloadResult> {
    const runtime = this.#runtime;
    const parts = this.#parts;
    if (runtime === null || parts === null || this.#closing !== null) {
      return { ok: false, cause: 'failed', detail: 'the gateway is not running' };
    }
    const fixed = restartReason(this.#config, config);
    if (fixed !== undefined) return { ok: false, cause: 'restart-needed', detail: fixed };
    try {
      const verifiers = await this.#identity.open(config);
      await parts.splits.adoptServices(splitServices(config));
      await this.#upstreams.prepare(config);
      await this.#eachListener(config, (listener, settings) => listener.prepare(settings));
      const next = compileSnapshot(config, { ...parts, verifiers }, runtime.snapshot);
      const old = runtime.snapshot;
      runtime.snapshot = next;
      activate(next);
      this.#config = config;
      await this.#eachListener(config, (listener, settings) => listener.use(settings));
      runtime.cache.adopt(config);
      supersede(old);
      this.#upstreams.retain(config);
      parts.recorder.replaceServices(Object.keys(config.services));
      await parts.splits.retainServices(Object.keys(config.services));
      return { ok: true };
    } catch (error) {
      await this.#eachListener(this.#config, (listener, settings) => listener.use(settings));
      this.#upstreams.retain(this.#config);
      await parts.splits.adoptServices(splitServices(this.#config));
      return { ok: false, cause: 'failed', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  async #eachListener(
    config: GatewayConfig,
    act: (listener: Listener, settings: ListenerConfig) => Promise<void> | void,
  ): Promise<void> {
    for (const [index, listener] of this.#listeners.entries()) {
      const settings = config.listeners[index];
      if (settings) await act(listener, settings);
    }
  }

  async #drain(): Promise<void> {
    if (this.#runtime !== null) this.#runtime.draining = true;
    const { drainMs } = this.#config;
    const untilMs = this.#monotonicMs() + drainMs;
    // Listening goes on for the grace: closing a listener resets the connections that still wait in its queue.
    // Every answer says `Connection: close` and readiness fails, so clients turn away meanwhile.
    await sleep(Math.min(IDLE_GRACE_MS, drainMs));
    for (const listener of this.#listeners) listener.stopAccepting();
    // The last connections that were accepted look idle until their request is there.
    await sleep(Math.min(LAST_ACCEPTED_MS, Math.max(0, untilMs - this.#monotonicMs())));
    for (const listener of this.#listeners) listener.closeIdleConnections();
    if (this.#inFlight > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await within(idle, Math.max(0, untilMs - this.#monotonicMs()));
    }
    await this.close();
  }

  async #close(): Promise<void> {
    this.#runtime?.cache.close();
    await this.#runtime?.tunnels.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#upstreams.close();
    await this.#identity.close();
    this.#wheel.close();
    await this.#parts?.recorder.close();
    await this.#parts?.splits.close();
    await within(this.#runtime?.tracer?.close() ?? null, SPAN_FLUSH_MS);
    await this.#runtime?.accessLog.close(LOG_FLUSH_MS);
    await this.#admin?.close();
  }
}

function onResponseClose(this: ExchangeResponse): void {
  if (this.exchange !== null) record(this.exchange);
}
