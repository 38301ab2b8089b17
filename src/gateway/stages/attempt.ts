/**
 * Tries endpoints of the assigned version until one response is settled on: the first that is not worth a retry.
 * Knows when to try again (by `core/policy`), not how a try works.
 * @module
 */

import { type Breaker, REFUSED } from '../../core/policy/breaker.ts';
import { ringHash } from '../../core/policy/hash-ring.ts';
import { type AttemptFailure, retryDelayMs } from '../../core/policy/retry.ts';
import { formatTraceParent } from '../../telemetry/trace-context.ts';
import { Alarm } from '../alarm.ts';
import { BreakerPass, retryAfterS } from '../breakers.ts';
import { answerOnError } from '../cache/answer.ts';
import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { EAGER_BODY_BYTES } from '../limits.ts';
import { replyProblem } from '../problem.ts';
import { randomFraction, randomHex16 } from '../random-ids.ts';
import type { ServiceVersion } from '../snapshot.ts';
import { Attempt } from '../upstream/attempt.ts';
import type { AttemptSink, AttemptTrouble } from '../upstream/attempt-sink.ts';
import { type BodyFailure, RequestBody } from '../upstream/request-body.ts';
import type { Target } from '../upstream/target.ts';
import { relayEnd, relayInterim, relayPiece } from './relay.ts';

export function attempt(exchange: Exchange): boolean {
  const { route, runtime, bodyLength } = exchange;
  if (route === null) throw new Error('attempt runs after route');
  const nowMs = runtime.monotonicMs();
  const breaker = breakerOf(exchange);
  if (breaker?.isOpen(nowMs) === true) {
    // Before the body is asked for: nobody would read it.
    breaker.refusals += 1;
    refuse(exchange, 'BREAKER_OPEN', ['Retry-After', retryAfterS(breaker, nowMs)]);
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
    onFailure: (failure) => onBodyFailure(exchange, failure),
  });
  exchange.body = body;
  if (exchange.expectsContinue) exchange.response.writeContinue();
  if (bodyLength < 0 || bodyLength > EAGER_BODY_BYTES) {
    if (bodyLength > 0) exchange.upstreamFields.push('Content-Length', String(bodyLength));
    start(exchange, nowMs);
    return false;
  }
  body.collect((whole) => {
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
  const { exchange } = current;
  const failure = failureOfStatus(current.status);
  // Without its client it goes on for the sake of its idempotency key, but not again and again.
  if (failure !== null && !exchange.recorded) {
    const delayMs = retryDelay(current, failure);
    if (delayMs !== null) {
      current.discard();
      retryAfter(exchange, delayMs);
      return;
    }
  }
  exchange.proceed();
}

function onFail(current: Attempt, failure: AttemptTrouble): void {
  const { exchange } = current;
  if (exchange.relaying || exchange.recorded) {
    exchange.hold?.release();
    replyProblem(exchange, failure === 'client-stalled' ? 'CLIENT_ABORTED' : 'RESPONSE_BROKEN_OFF', '');
    return;
  }
  const kind = failureOfTrouble(failure);
  const delayMs = kind === null ? null : retryDelay(current, kind);
  if (delayMs !== null) {
    retryAfter(exchange, delayMs);
    return;
  }
  exchange.hold?.release();
  if (kind === null || !answerOnError(exchange, 0)) {
    replyProblem(exchange, ERROR_OF_TROUBLE[failure], '');
  }
}

/** Null: not worth a retry. */
function failureOfTrouble(trouble: AttemptTrouble): AttemptFailure | null {
  if (trouble === 'bad-response' || trouble === 'client-stalled' || trouble === 'unsendable') return null;
  return trouble === 'tls' ? 'connect' : trouble;
}

const ERROR_OF_TROUBLE: Readonly<Record<AttemptTrouble, GatewayErrorCode>> = {
  'bad-response': 'UPSTREAM_BAD_RESPONSE',
  'client-stalled': 'REQUEST_TIMEOUT',
  unsendable: 'MALFORMED_REQUEST',
  connect: 'UPSTREAM_CONNECT',
  tls: 'UPSTREAM_TLS',
  reset: 'UPSTREAM_RESET',
  timeout: 'UPSTREAM_TIMEOUT',
  '502': 'UPSTREAM_BAD_RESPONSE',
  '503': 'UPSTREAM_BAD_RESPONSE',
  '504': 'UPSTREAM_TIMEOUT',
};

function start(exchange: Exchange, nowMs: number): void {
  const { route, version } = exchange;
  if (route === null || version === null) throw new Error('attempt runs after assign');
  const target = pickTarget(exchange, version, nowMs);
  if (target === null) {
    refuse(exchange, 'NO_ENDPOINT', []);
    return;
  }
  const breaker = breakerOf(exchange);
  let pass: BreakerPass | null = null;
  if (breaker !== null) {
    const ticket = breaker.admit(nowMs, randomFraction());
    if (ticket === REFUSED) {
      refuse(exchange, 'BREAKER_OPEN', ['Retry-After', retryAfterS(breaker, nowMs)]);
      return;
    }
    pass = new BreakerPass(breaker, ticket, nowMs);
  }
  exchange.attempts += 1;
  exchange.upstreamFields[exchange.traceparentAt] = formatTraceParent(
    exchange.traceId,
    randomHex16(),
    exchange.traceFlags,
  );
  const current = new Attempt(exchange, route, version, target, sink, nowMs);
  current.pass = pass;
  exchange.attempt = current;
  current.send();
}

function breakerOf({ route, version }: Exchange): Breaker | null {
  if (route === null || route.breakers === null || version === null) return null;
  return route.breakers.get(version) ?? null;
}

/** The version is not asked: no attempt of its own, but the analysis must know that its sample is cut. */
function refuse(exchange: Exchange, code: GatewayErrorCode, fields: readonly string[]): void {
  if (exchange.attempts === 0 && !exchange.forced && exchange.version !== null)
    exchange.version.counter.refused += 1;
  if (answerOnError(exchange, 0)) return;
  replyProblem(exchange, code, '', fields);
}

function pickTarget(exchange: Exchange, version: ServiceVersion, nowMs: number): Target | null {
  const { balancer } = version;
  const keyHash = balancer.usesKey ? ringHash(exchange.stickyKey || exchange.clientIp) : 0;
  return balancer.pick(nowMs, keyHash, exchange.tried);
}

function failureOfStatus(status: number): AttemptFailure | null {
  if (status < 502 || status > 504) return null;
  return status === 502 ? '502' : status === 503 ? '503' : '504';
}

/** Milliseconds until the next attempt, or null when this one is the last. Takes the retry out of the budget. */
function retryDelay(current: Attempt, failure: AttemptFailure): number | null {
  const { exchange, route } = current;
  const { runtime } = exchange;
  if (route.retry === null) return null;
  const nowMs = runtime.monotonicMs();
  // What the upstream said is a better answer than what the breaker would say instead of asking again.
  if (breakerOf(exchange)?.isOpen(nowMs) === true) return null;
  const delayMs = retryDelayMs(
    route.retry,
    {
      method: exchange.method,
      idempotent: exchange.hold !== null,
      failure,
      attemptsMade: exchange.attempts,
      attemptMs: nowMs - current.startedMs,
      replayable: exchange.body === null || exchange.wholeBody !== null || exchange.body.replayable,
      responseStarted: exchange.relaying,
      remainingMs: current.totalDeadlineMs() - nowMs,
    },
    randomFraction(),
  );
  if (delayMs === null) return null;
  const { retryBudget, retries } = route.service;
  if (retryBudget.tryRetry(nowMs)) {
    retries.made += 1;
    return delayMs;
  }
  retries.refused += 1;
  return null;
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

function onBodyFailure(exchange: Exchange, failure: BodyFailure): void {
  exchange.attempt?.abandon();
  if (failure === 'too-large') {
    replyProblem(exchange, 'BODY_TOO_LARGE', `The limit is ${exchange.route?.maxBodyBytes} bytes.`);
  }
}
