/**
 * One try of one endpoint: sends the request, watches the clock, reports what came. Counts itself for telemetry,
 * whatever the client will see. Knows undici; decides nothing about retries or the response.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Dispatcher, errors } from 'undici';
import { type AttemptPass, passOutcome } from '../attempt-pass.ts';
import { Deadline } from '../deadlines.ts';
import type { Exchange } from '../exchange.ts';
import { settleCall } from '../grpc/call-status.ts';
import { MAX_DISCARD_BYTES, MAX_INTERIM_RESPONSES } from '../limits.ts';
import type { CompiledRoute, ServiceVersion } from '../snapshot.ts';
import { OUTCOME, type OutcomeIndex, outcomeOfStatus } from '../version-counter.ts';
import { AttemptClock } from './attempt-clock.ts';
import { countAttempt } from './attempt-count.ts';
import { attemptDueMs, clientIsLate } from './attempt-due.ts';
import type { AttemptPhase, AttemptSink, AttemptTrouble } from './attempt-sink.ts';
import { isTlsFailure, isUnparsable } from './connector.ts';
import { fieldsFor } from './endpoint.ts';
import { firstField } from './raw-fields.ts';
import { sentBody } from './sent-body.ts';
import type { Target } from './target.ts';

const ABANDONED = new Error('attempt abandoned');

export class Attempt extends Deadline implements Dispatcher.DispatchHandler {
  readonly exchange: Exchange;
  readonly route: CompiledRoute;
  readonly version: ServiceVersion;
  readonly target: Target;
  readonly #sink: AttemptSink<Attempt>;
  readonly startedMs: number;
  phase: AttemptPhase = 'connecting';
  /** 0 until the response head is there. */
  status = 0;
  /** Name, value, name, value …; null until the head is there. */
  rawFields: Buffer[] | null = null;
  /** Null until the body has ended. */
  trailers: IncomingHttpHeaders | null = null;
  bytes = 0;
  /** Null: neither circuit breaker nor adaptive limit watches this attempt. */
  pass: AttemptPass | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #interim = 0;
  readonly times: AttemptClock;

  constructor(
    exchange: Exchange,
    route: CompiledRoute,
    version: ServiceVersion,
    target: Target,
    sink: AttemptSink<Attempt>,
    nowMs: number,
  ) {
    super();
    this.exchange = exchange;
    this.route = route;
    this.version = version;
    this.target = target;
    this.#sink = sink;
    this.startedMs = nowMs;
    this.times = new AttemptClock(nowMs);
  }

  send(): void {
    const { exchange } = this;
    exchange.runtime.wheel.arm(this, attemptDueMs(this));
    this.target.state.inFlight += 1;
    if (!exchange.forced) this.version.counter.running.add(this);
    const { endpoint } = this.target;
    endpoint.pool.dispatch(
      {
        servername: endpoint.servername,
        path: exchange.upstreamTarget ?? exchange.path + exchange.query,
        method: (exchange.calls ? 'POST' : exchange.method) as Dispatcher.HttpMethod,
        headers: fieldsFor(endpoint, exchange.upstreamFields),
        body: sentBody(exchange),
        trailers: exchange.calls || exchange.standIn !== null ? null : exchange.trailers,
        upgrade: exchange.upgrade === '' ? null : exchange.upgrade,
      },
      this,
    );
  }

  /** When all attempts must be over. A body that streamed up starts that time with its end. */
  totalDeadlineMs(): number {
    const { exchange } = this;
    if (exchange.totalDeadlineMs === Number.POSITIVE_INFINITY && exchange.body?.ended === true) {
      exchange.totalDeadlineMs = exchange.body.progressMs + this.route.timeout.totalMs;
    }
    return exchange.totalDeadlineMs;
  }

  ageMs(nowMs: number): number {
    return this.times.ageMs(nowMs);
  }

  /** Stops reading; time until `resume` is the client's. */
  pause(): void {
    if (this.times.pausedSinceMs >= 0) return;
    this.times.pause(this.exchange.runtime.monotonicMs());
    this.#controller?.pause();
  }

  resume(): void {
    if (this.times.pausedSinceMs < 0) return;
    this.times.resume(this.exchange.runtime.monotonicMs());
    this.#controller?.resume();
  }

  /**
   * The client is gone or was answered: nobody wants to hear more. The time that it waited counts as a latency, or
   * a version that hangs until its clients give up would have none; not so while the client still had to send.
   */
  abandon(): void {
    if (this.phase === 'over') return;
    // A discarded response has been counted.
    if (this.phase === 'discarding') this.#disarm();
    else this.#finish(OUTCOME.clientAborted, this.exchange.body?.lacksPieces !== true);
    this.#controller?.abort(ABANDONED);
  }

  /** The response cannot be passed on. */
  reject(): void {
    this.#failWith(OUTCOME.reset, 'bad-response');
  }

  /** The response is not wanted (a retry follows). A short rest is read, so that the connection lives on. */
  discard(): void {
    this.#finish(outcomeOfStatus(this.status));
    const length = Number(this.field('content-length') ?? MAX_DISCARD_BYTES + 1);
    if (length > MAX_DISCARD_BYTES) {
      this.#controller?.abort(ABANDONED);
      return;
    }
    this.phase = 'discarding';
    this.times.progressMs = this.exchange.runtime.monotonicMs();
    this.exchange.runtime.wheel.arm(this, this.times.progressMs + this.route.timeout.idleMs);
  }

  /** First response field of that name (lower case). */
  field(name: string): string | undefined {
    return firstField(this.rawFields ?? [], name);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection: throwing takes the request out and leaves the connection alone.
    if (this.phase === 'over') throw ABANDONED;
    this.#controller = controller;
    this.phase = 'waiting';
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.phase !== 'waiting') return;
    if (status < 200 || status > 599) {
      this.#interim += 1;
      const bad = status > 599 || this.#interim > MAX_INTERIM_RESPONSES;
      if (bad) this.#failWith(OUTCOME.reset, 'bad-response');
      else this.#sink.interim(this, status, (controller.rawHeaders ?? []) as Buffer[]);
      return;
    }
    this.status = status;
    if (!this.exchange.calls) this.pass?.settleStatus(status, this.exchange.runtime.monotonicMs());
    // Both pools give buffers: undici the parser's, the HTTP/2 one in the same shape.
    this.rawFields = controller.rawHeaders as Buffer[];
    this.phase = 'streaming';
    this.times.headMs = this.exchange.runtime.monotonicMs();
    this.times.progressMs = this.exchange.runtime.wheel.coarseNowMs;
    this.#sink.head(this);
  }

  /** The latency of a change of protocols ends with it: what follows is as long as the two want it to be. */
  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    socket: Duplex,
  ): void {
    this.rawFields = controller.rawHeaders as Buffer[];
    const asked = status === 101 && this.field('upgrade')?.toLowerCase() === this.exchange.upgrade;
    if (this.phase !== 'waiting' || !asked) {
      socket.destroy();
      if (this.phase === 'waiting') this.#failWith(OUTCOME.reset, 'bad-response');
      return;
    }
    this.status = status;
    this.#finish(outcomeOfStatus(status));
    this.#sink.upgraded(this, socket);
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.phase !== 'streaming') return;
    // Of a call the first message is the answer: servers may send their fields long before.
    if (this.exchange.calls && this.bytes === 0) this.times.headMs = this.exchange.runtime.monotonicMs();
    this.bytes += piece.length;
    this.times.progressMs = this.exchange.runtime.wheel.coarseNowMs;
    this.#sink.piece(this, piece);
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    if (this.phase === 'discarding') this.#disarm();
    if (this.phase !== 'streaming') return;
    this.trailers = trailers;
    const inTime = !this.exchange.calls || settleCall(this, this.exchange.runtime.monotonicMs());
    this.#finish(inTime ? outcomeOfStatus(this.status) : OUTCOME.clientAborted, true);
    this.#sink.end(this);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    switch (this.phase) {
      case 'connecting':
        if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError) {
          this.#failWith(OUTCOME.clientAborted, 'unsendable');
        } else if (isTlsFailure(error)) this.#failTls(error);
        else this.#failWith(OUTCOME.connectError, 'connect');
        return;
      case 'waiting':
      case 'streaming':
        if (this.exchange.body?.failure === 'aborted') this.abandon();
        else if (this.phase === 'waiting' && isTlsFailure(error)) this.#failTls(error);
        else if (this.phase === 'waiting' && isUnparsable(error)) this.#failWith(OUTCOME.reset, 'unparsable');
        else this.#failWith(OUTCOME.reset, 'reset');
        return;
      case 'discarding':
        this.#disarm();
        return;
      case 'over':
        return;
    }
  }

  /** The armed time is the earliest that may matter: most attempts never get here, the others are armed again. */
  override expire(nowMs: number): void {
    const dueMs = attemptDueMs(this);
    if (dueMs > nowMs) {
      this.exchange.runtime.wheel.arm(this, dueMs);
      return;
    }
    switch (this.phase) {
      case 'connecting':
        this.#failWith(OUTCOME.connectError, nowMs >= this.exchange.totalDeadlineMs ? 'timeout' : 'connect');
        return;
      case 'waiting':
        if (this.exchange.body?.waitsForClient === true)
          this.#failWith(OUTCOME.clientAborted, 'client-stalled');
        else if (nowMs >= this.exchange.callDeadlineMs)
          this.#failWith(OUTCOME.clientAborted, 'timeout', true);
        else this.#failWith(OUTCOME.timeout, 'timeout');
        return;
      case 'streaming':
        if (clientIsLate(this, nowMs)) this.#failWith(OUTCOME.clientAborted, 'client-stalled');
        else this.#failWith(OUTCOME.timeout, 'timeout');
        return;
      case 'discarding':
        this.phase = 'over';
        this.#controller?.abort(ABANDONED);
        return;
      case 'over':
        return;
    }
  }

  #failWith(outcome: OutcomeIndex, failure: AttemptTrouble, timed?: boolean): void {
    this.#finish(outcome, timed);
    this.#controller?.abort(ABANDONED);
    this.#sink.fail(this, failure);
  }

  /** Before or, by an alert, right after the request was sent; the upstream has not read it. */
  #failTls(error: Error): void {
    this.exchange.note('tls', 'code' in error ? String(error.code) : 'TLS');
    this.#failWith(OUTCOME.connectError, 'tls');
  }

  #disarm(): void {
    this.phase = 'over';
    this.exchange.runtime.wheel.disarm(this);
  }

  #finish(outcome: OutcomeIndex, timed = outcome !== OUTCOME.clientAborted): void {
    this.#disarm();
    this.target.state.inFlight -= 1;
    const { monotonicMs } = this.exchange.runtime;
    const nowMs = monotonicMs();
    if (this.pass !== null) this.pass.settle(passOutcome(outcome), nowMs);
    const mediaType = this.field('content-type');
    const latencyMs = this.times.latency(outcome === OUTCOME.clientAborted, mediaType, nowMs);
    countAttempt(this, outcome, timed, latencyMs, nowMs);
  }
}
