/**
 * Records a request once its response is closed, however it ended: access log, metrics, telemetry, bookkeeping.
 * Runs for every exchange exactly once and changes nothing about it.
 * @module
 */

import { httpOfGrpc } from '../../core/policy/grpc/status.ts';
import { logExchange } from '../access-line.ts';
import type { Exchange } from '../exchange.ts';
import { GATEWAY_ERRORS, isBrokenOff } from '../gateway-errors.ts';
import { noteRequestTrailers } from '../request-trailers.ts';
import type { RunningTunnel } from '../upgrade/upgrade-model.ts';
import { OUTCOME, type OutcomeIndex, outcomeOfStatus } from '../version-counter.ts';

export function record(exchange: Exchange): void {
  if (exchange.recorded) return;
  exchange.recorded = true;
  const { response, runtime } = exchange;
  if (exchange.alarm !== null) runtime.wheel.disarm(exchange.alarm);
  if (exchange.reader !== null) runtime.wheel.disarm(exchange.reader);
  exchange.limiter?.leave(exchange);
  exchange.mirror?.cancel();
  exchange.slot?.gate.leave(exchange.slot.key);
  // What is left of an upload that was answered early is read, so that the connection stays in step.
  exchange.body?.discard();
  letGo(exchange);
  const cacheRun = exchange.cacheRun;
  if (cacheRun !== null) {
    // Nobody saw a response: only the attempts count.
    if (cacheRun.background) {
      exchange.trace?.end(exchange, 0);
      runtime.onRecorded(exchange);
      return;
    }
    cacheRun.compiled.counts[cacheRun.outcome] += 1;
  }
  const durationMs = runtime.monotonicMs() - exchange.startedMs;
  if (exchange.tunnel === null) {
    if (!response.writableFinished && exchange.errorCode === '') exchange.errorCode = 'CLIENT_ABORTED';
    if (exchange.errorCode === 'CLIENT_TOO_SLOW') runtime.metrics.slowReaders.count(exchange.route);
    countResponse(exchange);
  } else {
    noteTunnel(exchange, exchange.tunnel);
  }
  if (exchange.grpcCode >= 0) exchange.note('grpc_status', String(exchange.grpcCode));
  noteRequestTrailers(exchange);
  logExchange(exchange, sentStatus(exchange), durationMs);
  exchange.trace?.end(exchange, sentStatus(exchange));
  runtime.onRecorded(exchange);
}

/** Counts the response: at its end, or when the protocol was changed. */
export function countResponse(exchange: Exchange): void {
  const { response, runtime, route, version, tunnel } = exchange;
  const latencyMs = Math.max(
    0,
    runtime.monotonicMs() - exchange.startedMs - (exchange.attempt?.times.flowMs ?? 0),
  );
  const status = countedStatus(exchange);
  const series = route === null ? exchange.snapshot.unrouted : route.series;
  series.observe(version?.name ?? '', exchange.method, status, exchange.errorCode, latencyMs);
  if (version === null || exchange.forced) return;
  const outcome = responseOutcome(exchange, response.writableFinished || tunnel !== null, status);
  // Neither a request nor a response that its client held up says how fast the version is.
  const heldUp = exchange.body?.lacksPieces === true || exchange.errorCode === 'CLIENT_TOO_SLOW';
  const timed = outcome !== OUTCOME.clientAborted || !heldUp;
  version.counter.responses.record(outcome, timed ? latencyMs : null);
}

function sentStatus({ response }: Exchange): number {
  return response.headersSent ? response.statusCode : 0;
}

/** Of a gRPC call what it came to, in terms of HTTP. */
function countedStatus(exchange: Exchange): number {
  const status = sentStatus(exchange);
  const { grpc, grpcCode, errorCode } = exchange;
  if (!grpc || status !== 200) return status;
  if (grpcCode >= 0) return httpOfGrpc(grpcCode);
  return errorCode === '' ? status : GATEWAY_ERRORS[errorCode].status;
}

/** Both sides have said what they wanted, unless the upstream broke off. */
function noteTunnel(exchange: Exchange, { end, bytesIn }: RunningTunnel): void {
  if (end === 'reset') exchange.errorCode = 'RESPONSE_BROKEN_OFF';
  exchange.note('upgrade', exchange.upgrade);
  exchange.note('bytes_in', String(bytesIn));
  exchange.note('ended_by', end ?? 'client');
}

/**
 * Ends the attempt, unless its client is gone and it holds an idempotency key or others wait for what it brings to the
 * cache: the request is then finished all the same, within its time, for the client that comes back, or for them.
 */
function letGo({ attempt, rival, hold, cacheRun }: Exchange): void {
  rival?.abandon();
  const running = attempt !== null && attempt.phase !== 'over' && attempt.phase !== 'discarding';
  if (running && cacheRun?.flight?.awaited === true) {
    cacheRun.flight.onDeserted = () => {
      attempt.abandon();
      cacheRun.release();
    };
    attempt.resume();
    return;
  }
  cacheRun?.release();
  if (running && hold !== null && !hold.settled) {
    attempt.resume();
    return;
  }
  attempt?.abandon();
  hold?.release();
}

function responseOutcome(exchange: Exchange, complete: boolean, status: number): OutcomeIndex {
  if (complete) return outcomeOfStatus(status);
  return isBrokenOff(exchange.errorCode) ? OUTCOME.reset : OUTCOME.clientAborted;
}
