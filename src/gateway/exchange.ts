/**
 * One request and its response on their way through the pipeline: what every stage reads and writes.
 * Fields only, always the same ones in the same order, so that the engine compiles stages once; the stages own
 * the meaning.
 * @module
 */

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { JWTPayload } from 'jose';
import type { ListenerConfig } from '../config/policies/listeners.ts';
import type { InFlightGate } from '../core/policy/in-flight.ts';
import type { Clock } from '../ports/clock.ts';
import type { SharedState } from '../ports/shared-state.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AccessLog } from './access-log.ts';
import type { VersionLimiter } from './adaptive.ts';
import type { Alarm } from './alarm.ts';
import type { CacheRun } from './cache/cache-run.ts';
import type { HttpCache } from './cache/http-cache.ts';
import type { ClientRequest, ClientResponse } from './client.ts';
import type { Deadline, DeadlineWheel } from './deadlines.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import type { KeyOutcome } from './idempotency-metrics.ts';
import type { IdempotentHold } from './idempotent-hold.ts';
import type { LimitKeeper } from './limit-keeper.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { CallRelay, RunningAttempt, RunningMirror } from './running.ts';
import type { CompiledRoute, ServiceVersion, Snapshot } from './snapshot.ts';
import type { Tracer } from './tracing/tracer.ts';
import type { BodyTurns } from './transform/body-turns.ts';
import type { OutgoingResponse, RequestReshaping } from './transform/transform-model.ts';
import type { TunnelSet } from './upgrade/tunnel-set.ts';
import type { HeldSocket, RunningTunnel } from './upgrade/upgrade-model.ts';
import type { RequestBody } from './upstream/request-body.ts';
import type { Target } from './upstream/target.ts';
import type { RequestTrailers } from './upstream/upstream-pool.ts';
import type { OutcomeIndex } from './version-counter.ts';

/** A response that knows its exchange, so that its events need no closure of their own. */
export class GatewayResponse extends ServerResponse<IncomingMessage> {
  exchange: Exchange | null = null;
  /** The client asks to change protocols. */
  upgrade: HeldSocket | null = null;

  /** After chunks only. */
  get takesTrailers(): boolean {
    return this.chunkedEncoding;
  }
}

/** Goes on (true) or stops here (false): answered, or `proceed` will be called when there is more to do. */
export type Stage = (exchange: Exchange) => boolean;

/** What all requests of one gateway share: built by `gateway.ts`, read by the stages. */
export interface Runtime {
  /** Swapped whole on reload; an exchange keeps the one that it began with. */
  snapshot: Snapshot;
  /** True from the first moment of draining: every response then closes its connection. */
  draining: boolean;
  readonly wheel: DeadlineWheel;
  readonly accessLog: AccessLog;
  /** Null: no traces are kept. */
  readonly tracer: Tracer | null;
  readonly metrics: GatewayMetrics;
  readonly limitKeeper: LimitKeeper;
  /** Outlives reloads. */
  readonly cache: HttpCache;
  readonly tunnels: TunnelSet;
  readonly bodyTurns: BodyTurns;
  readonly shared: SharedState;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  readonly runStages: (exchange: Exchange) => void;
  /** Counts an exchange without a client in; it ends like any other. */
  readonly beginBackground: (exchange: Exchange) => void;
  /** The exchange is over: counts it out. */
  readonly onRecorded: (exchange: Exchange) => void;
}

/** Of either protocol. */
export interface ExchangeResponse extends ClientResponse {
  exchange: Exchange | null;
  /** The client asks to change protocols. */
  readonly upgrade: HeldSocket | null;
}

/** What a trace knows of an attempt. */
export interface TracedAttempt {
  readonly exchange: Exchange;
  readonly version: ServiceVersion;
  readonly target: Target;
  /** 0 without a response. */
  readonly status: number;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
}

/** The spans of a request that is traced. */
export interface RunningTrace {
  readonly spanId: string;
  /** `spanId`: what the upstream is told. `number`: from 1. */
  beginAttempt(attempt: TracedAttempt, spanId: string, number: number): void;
  endAttempt(attempt: TracedAttempt, outcome: OutcomeIndex, nowMs: number): void;
  /** The exchange is over. `status` 0: none was sent. */
  end(exchange: Exchange, status: number): void;
}

export class Exchange {
  readonly request: ClientRequest;
  readonly response: ExchangeResponse;
  readonly runtime: Runtime;
  /** The configuration that this request lives by, whatever is reloaded meanwhile. */
  readonly snapshot: Snapshot;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
  /** Index of the next stage. */
  stage = 0;

  /** Null: no client waits for the response. */
  listener: ListenerConfig | null = null;

  // admit
  /** The client came over https, to us or to a trusted proxy. */
  secure = false;
  /** The peer is a trusted proxy. */
  peerTrusted = false;
  /** Upper case. */
  method = '';
  path = '';
  /** With its `?`, or empty. */
  query = '';
  /** The Host field as sent. */
  authority = '';
  /** Bytes of the body by Content-Length; −1 when it is chunked; 0 when there is none. */
  bodyLength = 0;
  /** The client waits for 100 (Continue) before it sends the body. */
  expectsContinue = false;
  /** Protocol that the client wants to change to, lower case; empty: none. */
  upgrade = '';
  authorization: string | null = null;
  /** Name, value, name, value …: what the upstream will get; stages append. */
  upstreamFields: string[] = [];
  clientIp = '';
  /** What follows the body; null: nothing that the upstream gets. */
  trailers: RequestTrailers | null = null;
  /** Path and query that the upstream gets instead of the client's; null: the same. */
  upstreamTarget: string | null = null;
  /** As sent; empty when absent or repeated. */
  incomingTraceparent = '';
  incomingTracestate = '';

  // identify
  /** Until `identify`: as sent by the client. */
  requestId = '';
  traceId = '';
  /** Not sampled, unless the parent or a tracer of ours says so. */
  traceFlags = '00';
  /** Null: the request is not traced. */
  trace: RunningTrace | null = null;
  /** Where the value of `traceparent` stands in `upstreamFields`: each attempt writes its own span there. */
  traceparentAt = -1;

  // route, authenticate, assign
  route: CompiledRoute | null = null;
  claims: JWTPayload | null = null;
  version: ServiceVersion | null = null;
  /** A match override chose the version: not a random sample, so not evidence. */
  forced = false;
  stickySource = '';
  /** What counts the request as under way, with its key; null without a cap. */
  slot: { readonly gate: InFlightGate; readonly key: string | null } | null = null;
  /** `ok`, or the limit that refused the request; empty without limits. */
  limited = '';
  /** Name, value, name, value …: fields that policies add to whatever response the client gets. */
  addedFields: string[] | null = null;
  /** Empty when a match override chose the version. */
  stickyKey = '';
  /** Value of a Set-Cookie field that goes with the response, or null. */
  setCookie: string | null = null;

  // cache
  /** Null: the route caches nothing, or the method has nothing to do with stored responses. */
  cacheRun: CacheRun | null = null;
  // idempotency
  /** The claim on an idempotency key that this request holds. */
  hold: IdempotentHold | null = null;
  keyOutcome: KeyOutcome | '' = '';

  // attempt, relay
  body: RequestBody | null = null;
  /** The whole body, when it was read before the attempt. */
  wholeBody: Buffer | null = null;
  /** Null: the upstream gets the body as it is, or as `wholeBody` is. */
  reshaping: RequestReshaping | null = null;
  /** No attempt goes on after this, monotonic milliseconds. Infinite while a body streams up. */
  totalDeadlineMs = Number.POSITIVE_INFINITY;
  attempt: RunningAttempt | null = null;
  /** The other of two parallel attempts, while neither is settled on. */
  rival: RunningAttempt | null = null;
  /** Version of the service that is asked instead, once the route's own has failed for good. */
  standIn: ServiceVersion | null = null;
  /** Where the request waits for its turn; null: nowhere. */
  limiter: VersionLimiter | null = null;
  /** Armed before and between attempts. */
  alarm: Alarm | null = null;
  /** Watches a client that does not take its response as fast as it comes; null until there was need. */
  reader: Deadline | null = null;
  attempts = 0;
  /** Of the attempts, those that follow one that failed. */
  retries = 0;
  /** When the first attempt began, monotonic milliseconds. */
  firstAttemptMs = 0;
  /** Where attempts have failed; null before a first retry. */
  tried: Target[] | null = null;
  /** The response as its route's filters send it; null before there is one, and on routes that change nothing. */
  outgoing: OutgoingResponse | null = null;
  /** The attempt's response is on its way to the client. */
  relaying = false;
  /** Null: the request is not mirrored. */
  mirror: RunningMirror | null = null;
  /** Content-Length of that response; −1 when it has none. */
  expectedBytes = -1;
  /** It is a gRPC call. */
  readonly grpc: boolean;
  /** The upstream is called by gRPC, whatever the client speaks. */
  calls: boolean;
  /** What makes JSON of the answer to a call; null: it passes as it is. */
  call: CallRelay | null = null;
  /** When its caller gives up, monotonic milliseconds. */
  callDeadlineMs = Number.POSITIVE_INFINITY;
  /** What it came to, as its upstream says; −1: not known. */
  grpcCode = -1;
  /** Client and upstream talk to each other in another protocol. */
  tunnel: RunningTunnel | null = null;

  /** Name, value, name, value …: what policies did, for the access log and traces. Null: nothing to tell. */
  outcomes: string[] | null = null;

  // record
  errorCode: GatewayErrorCode | '' = '';
  bytesOut = 0;
  recorded = false;

  constructor(
    runtime: Runtime,
    request: ClientRequest,
    response: ExchangeResponse,
    startedMs: number,
    snapshot: Snapshot = runtime.snapshot,
  ) {
    this.runtime = runtime;
    this.snapshot = snapshot;
    this.request = request;
    this.grpc = request.grpc === true;
    this.calls = this.grpc;
    this.response = response;
    this.startedMs = startedMs;
    response.exchange = this;
  }

  /** Notes what a policy did. `name` is a lower-case word of its own, the same in access log and traces. */
  note(name: string, value: string): void {
    this.outcomes ??= [];
    this.outcomes.push(name, value);
  }

  /** Runs the stages from where the exchange stands. */
  proceed(): void {
    // Answered while a stage waited: what should be the rest of the request was no HTTP.
    if (this.response.writableEnded) return;
    this.runtime.runStages(this);
  }
}
