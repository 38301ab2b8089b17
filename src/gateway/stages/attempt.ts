/**
 * Tries endpoints of the assigned version until one response is settled on: the first that is not worth a retry.
 * Knows when to try again and what stands in at last, not how a try works.
 * @module
 */

import type { Breaker } from '../../core/policy/breaker.ts';
import { isIdempotent } from '../../core/policy/retry.ts';
import { formatTraceParent } from '../../telemetry/trace-context.ts';
import { hasTurn, takePlace } from '../adaptive-turn.ts';
import { Alarm } from '../alarm.ts';
import { type BreakerPass, retryAfterS } from '../breakers.ts';
import { chooseTarget } from '../choose-target.ts';
import type { Exchange } from '../exchange.ts';
import { giveUp, standIn } from '../fallback.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { setCallDeadline } from '../grpc/call-deadline.ts';
import { EAGER_BODY_BYTES } from '../limits.ts';
import { replyProblem } from '../problem.ts';
import { randomHex16 } from '../random-ids.ts';
import { endByBody } from '../refuse-body.ts';
import { breakOfTrouble, retryDelay, retryStatusOf, withinBudget } from '../retries.ts';
import { dropRival, leaveToRival } from '../rivals.ts';
import { collectBody, watchSender } from '../slow-sender.ts';
import type { CompiledRoute, ServiceVersion } from '../snapshot.ts';
import { openTunnel } from '../upgrade/open-tunnel.ts';
import { Attempt } from '../upstream/attempt.ts';
import type { AttemptSink, AttemptTrouble } from '../upstream/attempt-sink.ts';
import { RequestBody } from '../upstream/request-body.ts';
import type { Target } from '../upstream/target.ts';
import { relayEnd, relayInterim, relayPiece } from './relay.ts';

/** A place is free as soon as any attempt has its head; nobody can say when that is. */
const OVERLOADED_RETRY_S = '1';

export function attempt(exchange: Exchange): boolean {
  const { route, runtime, bodyLength } = exchange;
  if (route === null) throw new Error('attempt runs after route');
  const nowMs = runtime.monotonicMs();
  const { version } = exchange;
  const open = version === null ? null : route.breakers?.get(version)?.open(nowMs, version.balancer.targets);
  // Before the body is asked for: unless another service gets it, nobody would read it.
  if (open != null && route.fallback?.to.kind !== 'service') {
    open.refusals += 1;
    refuseByBreaker(exchange, open, nowMs);
    return false;
  }
  route.service.retryBudget.countRequest(nowMs);
  // A body that is here already was read for its idempotency key.
  if (bodyLength === 0 || exchange.wholeBody !== null) {
    exchange.totalDeadlineMs = nowMs + route.timeout.totalMs;
    start(exchange, nowMs);
    return false;
  }
  const body = new RequestBody({
    source: exchange.request,
    limit: route.maxBodyBytes,
    replayLimit: route.retry?.bufferBytes ?? 0,
    coarseNowMs: () => runtime.wheel.coarseNowMs,
    onFailure: (failure) => endByBody(exchange, failure),
  });
  exchange.body = body;
  watchSender(exchange, body);
  if (exchange.expectsContinue) exchange.response.writeContinue();
  if (exchange.grpc) setCallDeadline(exchange, nowMs);
  const asItCame = exchange.reshaping === null;
  if (exchange.grpc || !asItCame || bodyLength < 0 || bodyLength > EAGER_BODY_BYTES) {
    if (bodyLength > 0 && asItCame) exchange.upstreamFields.push('Content-Length', String(bodyLength));
    start(exchange, nowMs);
    return false;
  }
  collectBody(exchange, body, (whole) => {
    const sinceMs = runtime.monotonicMs();
    exchange.wholeBody = whole;
    exchange.totalDeadlineMs = sinceMs + route.timeout.totalMs;
    start(exchange, sinceMs);
  });
  return false;
}

const sink: AttemptSink<Attempt> = {
  interim: guarded(relayInterim),
  head: guarded(onHead),
  piece: relayPiece,
  end: relayEnd,
  upgraded: guarded(openTunnel),
  fail: guarded(onFail),
};

/** These run inside undici, where a bug that throws would end the process instead of the request. */
function guarded<Rest extends unknown[]>(
  listener: (current: Attempt, ...rest: Rest) => void,
): (current: Attempt, ...rest: Rest) => void {
  return (current, ...rest) => {
    try {
      listener(current, ...rest);
    } catch (error) {
      current.exchange.runtime.logger.error({ err: error }, 'an attempt could not be followed up');
      replyProblem(current.exchange, 'INTERNAL', '');
    }
  };
}

function onHead(current: Attempt): void {
  const { exchange, route } = current;
  const failure = retryStatusOf(current.status);
  // Without its client it goes on for the sake of its idempotency key, but not again and again.
  if (failure !== null && !exchange.recorded) {
    if (leaveToRival(exchange, current)) {
      current.discard();
      return;
    }
    const delayMs = retryDelay(current, failure);
    if (delayMs !== null) {
      current.discard();
      retryAfter(exchange, delayMs);
      return;
    }
  }
  dropRival(exchange, current);
  const cause = causeOfStatus(current.status);
  if (cause !== null && route.fallback?.on.has(cause) === true) {
    const outcome = standIn(exchange, cause, current.status, '');
    if (outcome !== 'none') {
      current.discard();
      if (outcome === 'service') start(exchange, exchange.runtime.monotonicMs());
      return;
    }
  }
  exchange.proceed();
}

function onFail(current: Attempt, failure: AttemptTrouble): void {
  const { exchange } = current;
  if (exchange.relaying || exchange.recorded) {
    exchange.hold?.release();
    if (failure !== 'client-stalled') exchange.cacheRun?.failed(0);
    exchange.cacheRun?.release();
    replyProblem(exchange, failure === 'client-stalled' ? 'CLIENT_TOO_SLOW' : 'RESPONSE_BROKEN_OFF', '');
    return;
  }
  const kind = breakOfTrouble(failure);
  if (kind !== null && leaveToRival(exchange, current)) return;
  dropRival(exchange, current);
  const delayMs = kind === null ? null : retryDelay(current, kind);
  if (delayMs !== null) {
    retryAfter(exchange, delayMs);
    return;
  }
  if (giveUp(exchange, kind, ERROR_OF_TROUBLE[failure])) {
    start(exchange, exchange.runtime.monotonicMs());
  }
}

function causeOfStatus(status: number): '500' | '502' | '503' | '504' | null {
  const failure = retryStatusOf(status);
  return failure === '429' ? null : failure;
}

const ERROR_OF_TROUBLE: Readonly<Record<AttemptTrouble, GatewayErrorCode>> = {
  'bad-response': 'UPSTREAM_BAD_RESPONSE',
  unparsable: 'UPSTREAM_BAD_RESPONSE',
  'client-stalled': 'REQUEST_TIMEOUT',
  unsendable: 'MALFORMED_REQUEST',
  connect: 'UPSTREAM_CONNECT',
  tls: 'UPSTREAM_TLS',
  reset: 'UPSTREAM_RESET',
  timeout: 'UPSTREAM_TIMEOUT',
};

function start(exchange: Exchange, nowMs: number): void {
  const { route } = exchange;
  const version = exchange.standIn ?? exchange.version;
  if (route === null || version === null) throw new Error('attempt runs after assign');
  if (route.adaptive === null) {
    tryOnce(exchange, route, version, nowMs);
    return;
  }
  const turn = {
    go: () => tryOnce(exchange, route, version, exchange.runtime.monotonicMs()),
    refuse: () => refuse(exchange, 'breaker', 'OVERLOADED', ['Retry-After', OVERLOADED_RETRY_S]),
  };
  if (hasTurn(exchange, version, nowMs, turn)) tryOnce(exchange, route, version, nowMs);
}

function tryOnce(exchange: Exchange, route: CompiledRoute, version: ServiceVersion, nowMs: number): void {
  const admitted = chooseTarget(exchange, version, nowMs);
  if (admitted.target === null) {
    if (admitted.refusedBy === null) refuse(exchange, 'connect', 'NO_ENDPOINT', []);
    else refuseByBreaker(exchange, admitted.refusedBy, nowMs);
    return;
  }
  launch(exchange, version, admitted.target, admitted.pass, nowMs);
  if (route.hedge !== null && exchange.attempts === 1 && exchange.upgrade === '')
    armHedge(exchange, version, route.hedge.afterMs, nowMs);
}

function launch(
  exchange: Exchange,
  version: ServiceVersion,
  target: Target,
  pass: BreakerPass | null,
  nowMs: number,
): void {
  if (exchange.route === null) throw new Error('attempt runs after route');
  if (exchange.attempts === 0) exchange.firstAttemptMs = nowMs;
  exchange.attempts += 1;
  const spanId = randomHex16();
  const { traceId, traceFlags } = exchange;
  exchange.upstreamFields[exchange.traceparentAt] = formatTraceParent(traceId, spanId, traceFlags);
  const current = new Attempt(exchange, exchange.route, version, target, sink, nowMs);
  current.pass = takePlace(exchange, version, pass, nowMs);
  exchange.trace?.beginAttempt(current, spanId, exchange.attempts);
  exchange.attempt = current;
  current.send();
}

/** A second attempt beside the first, for requests that may be sent twice and are there in full. */
function armHedge(exchange: Exchange, version: ServiceVersion, afterMs: number, nowMs: number): void {
  const { runtime, method, wholeBody, body, hold } = exchange;
  if (!isIdempotent(method) && hold === null) return;
  if (body !== null && wholeBody === null) return;
  exchange.alarm = new Alarm(() => {
    exchange.alarm = null;
    hedge(exchange, version);
  });
  runtime.wheel.arm(exchange.alarm, nowMs + afterMs);
}

function hedge(exchange: Exchange, version: ServiceVersion): void {
  const first = exchange.attempt;
  const waits = first !== null && (first.phase === 'connecting' || first.phase === 'waiting');
  if (exchange.recorded || !waits || exchange.attempts !== 1) return;
  const nowMs = exchange.runtime.monotonicMs();
  exchange.tried = [first.target];
  const admitted = chooseTarget(exchange, version, nowMs);
  if (
    admitted.target === null ||
    admitted.target === first.target ||
    !withinBudget(exchange, 'hedge', nowMs)
  ) {
    if (admitted.target !== null) admitted.pass?.settle('neutral', nowMs);
    return;
  }
  exchange.note('hedged', 'true');
  exchange.rival = first;
  launch(exchange, version, admitted.target, admitted.pass, nowMs);
}

function refuseByBreaker(exchange: Exchange, breaker: Breaker, nowMs: number): void {
  refuse(exchange, 'breaker', 'BREAKER_OPEN', ['Retry-After', retryAfterS(breaker, nowMs)]);
}

/** The version is not asked: no attempt of its own, but the analysis must know that its sample is cut. */
function refuse(
  exchange: Exchange,
  cause: 'breaker' | 'connect',
  code: GatewayErrorCode,
  fields: readonly string[],
): void {
  if (exchange.attempts === 0 && !exchange.forced && exchange.version !== null)
    exchange.version.counter.refused += 1;
  if (giveUp(exchange, cause, code, fields)) start(exchange, exchange.runtime.monotonicMs());
}

function retryAfter(exchange: Exchange, delayMs: number): void {
  const { runtime, attempt } = exchange;
  if (attempt !== null) {
    exchange.tried ??= [];
    exchange.tried.push(attempt.target);
  }
  exchange.alarm = new Alarm(() => {
    exchange.alarm = null;
    if (!exchange.recorded) start(exchange, runtime.monotonicMs());
  });
  runtime.wheel.arm(exchange.alarm, runtime.monotonicMs() + delayMs);
}
