/**
 * Records a request once its response is closed, however it ended: access log, metrics, telemetry, bookkeeping.
 * Runs for every exchange exactly once and changes nothing about it.
 * @module
 */

import type { Exchange, RunningTunnel } from '../exchange.ts';
import { isoTime } from '../iso-time.ts';
import { OUTCOME, type OutcomeIndex, outcomeOfStatus } from '../recorder.ts';

export function record(exchange: Exchange): void {
  if (exchange.recorded) return;
  exchange.recorded = true;
  const { response, runtime } = exchange;
  if (exchange.alarm !== null) runtime.wheel.disarm(exchange.alarm);
  exchange.slot?.gate.leave(exchange.slot.key);
  // What is left of an upload that was answered early is read, so that the connection stays in step.
  exchange.body?.discard();
  letGo(exchange);
  const cacheRun = exchange.cacheRun;
  if (cacheRun !== null) {
    cacheRun.release();
    // Nobody saw a response: only the attempts count.
    if (cacheRun.background) {
      runtime.onRecorded(exchange);
      return;
    }
    cacheRun.compiled.counts[cacheRun.outcome] += 1;
  }
  const durationMs = runtime.monotonicMs() - exchange.startedMs;
  if (exchange.tunnel === null) {
    if (!response.writableFinished && exchange.errorCode === '') exchange.errorCode = 'CLIENT_ABORTED';
    countResponse(exchange);
  } else {
    noteTunnel(exchange, exchange.tunnel);
  }
  if (runtime.accessLog.enabled) {
    runtime.accessLog.write(accessLine(exchange, sentStatus(exchange), durationMs));
  }
  runtime.onRecorded(exchange);
}

/** Counts the response: at its end, or when the protocol was changed. */
export function countResponse(exchange: Exchange): void {
  const { response, runtime, route, version, tunnel } = exchange;
  const latencyMs = Math.max(
    0,
    runtime.monotonicMs() - exchange.startedMs - (exchange.attempt?.times.flowMs ?? 0),
  );
  const status = sentStatus(exchange);
  const series = route === null ? exchange.snapshot.unrouted : route.series;
  series.observe(version?.name ?? '', exchange.method, status, latencyMs);
  if (version === null || exchange.forced) return;
  const outcome = responseOutcome(exchange, response.writableFinished || tunnel !== null, status);
  const timed = outcome !== OUTCOME.clientAborted || exchange.body?.lacksPieces !== true;
  version.counter.responses.record(outcome, timed ? latencyMs : null);
}

function sentStatus({ response }: Exchange): number {
  return response.headersSent ? response.statusCode : 0;
}

/** Both sides have said what they wanted, unless the upstream broke off. */
function noteTunnel(exchange: Exchange, { end, bytesIn }: RunningTunnel): void {
  if (end === 'reset') exchange.errorCode = 'RESPONSE_BROKEN_OFF';
  exchange.note('upgrade', exchange.upgrade);
  exchange.note('bytes_in', String(bytesIn));
  exchange.note('ended_by', end ?? 'client');
}

/**
 * Ends the attempt, unless it holds an idempotency key and its client is gone: the request is then finished all the
 * same, within its time, so that the client finds its answer when it comes back.
 */
function letGo({ attempt, rival, hold }: Exchange): void {
  rival?.abandon();
  const running = attempt !== null && attempt.phase !== 'over' && attempt.phase !== 'discarding';
  if (running && hold !== null && !hold.settled) {
    attempt.resume();
    return;
  }
  attempt?.abandon();
  hold?.release();
}

function responseOutcome(exchange: Exchange, complete: boolean, status: number): OutcomeIndex {
  if (complete) return outcomeOfStatus(status);
  return exchange.errorCode === 'RESPONSE_BROKEN_OFF' ? OUTCOME.reset : OUTCOME.clientAborted;
}

/** Only what a client can choose freely is escaped; ids, addresses and names have safe alphabets. */
function accessLine(exchange: Exchange, status: number, durationMs: number): string {
  const { route, version, attempt, runtime } = exchange;
  return (
    `{"time":"${isoTime(runtime.clock.nowMs())}","method":${quoted(exchange.method)}` +
    `,"route":${quoted(route?.name ?? '')},"path":${quoted(route?.pattern ?? '')},"status":${status}` +
    `,"duration_ms":${Math.round(durationMs * 1000) / 1000},"service":"${route?.service.name ?? ''}"` +
    `,"version":"${version?.name ?? ''}","forced":${exchange.forced}` +
    `,"endpoint":"${attempt?.target.endpoint.origin ?? ''}","attempts":${exchange.attempts}` +
    `,"sticky":${quoted(exchange.stickySource)},"request_id":"${exchange.requestId}"` +
    `,"trace_id":"${exchange.traceId}","client_ip":"${exchange.clientIp}","bytes":${exchange.bytesOut}` +
    `${breakerField(exchange)}${cacheField(exchange)}${exchange.limited === '' ? '' : `,"limit":"${exchange.limited}"`}` +
    `${exchange.keyOutcome === '' ? '' : `,"idempotency":"${exchange.keyOutcome}"`}` +
    `${outcomeFields(exchange.outcomes)},"error":"${exchange.errorCode}"}\n`
  );
}

/** Only on routes with a breaker: `refused`, or its state. */
function breakerField({ route, version, attempt, standIn, errorCode }: Exchange): string {
  const breakers = version === null ? undefined : route?.breakers?.get(version);
  if (breakers === undefined) return '';
  if (errorCode === 'BREAKER_OPEN') return ',"breaker":"refused"';
  return attempt === null || standIn !== null ? '' : `,"breaker":"${breakers.of(attempt.target).state}"`;
}

/** Only on routes that cache. */
function cacheField({ cacheRun }: Exchange): string {
  return cacheRun === null ? '' : `,"cache":"${cacheRun.outcome}"`;
}

/** What policies noted. */
function outcomeFields(outcomes: readonly string[] | null): string {
  if (outcomes === null) return '';
  let fields = '';
  for (let i = 0; i + 1 < outcomes.length; i += 2)
    fields += `,"${outcomes[i]}":${quoted(outcomes[i + 1] ?? '')}`;
  return fields;
}

const SAFE_TEXT = /^[\w./:{}*@ -]*$/;

function quoted(text: string): string {
  return SAFE_TEXT.test(text) ? `"${text}"` : JSON.stringify(text);
}
