/**
 * Watches a client that sends a request body: below the listener's minimum speed, and after its time for a whole request, the
 * request ends. Time in which the
 * gateway itself does not read counts for nothing; nor may one that stops hold up whoever wants all of it first.
 * Knows not what becomes of the body.
 * @module
 */

import { Alarm } from './alarm.ts';
import type { Exchange } from './exchange.ts';
import type { RequestBody } from './upstream/request-body.ts';

const LOOK_EVERY_MS = 1_000;

export function watchSender(exchange: Exchange, body: RequestBody): void {
  const { runtime, listener, request } = exchange;
  // A call may be open for long without a message.
  if (exchange.grpc || listener === null) return;
  const { minBytesPerSecond, graceMs, requestTimeoutMs } = listener.limits;
  // Of HTTP/1.1, Node ends it too.
  const dueMs = exchange.startedMs + requestTimeoutMs;
  let before = 0;
  let lookedMs = runtime.monotonicMs();
  let creditMs = graceMs;
  const alarm = new Alarm((nowMs) => {
    if (body.ended || body.failure !== null || request.destroyed) return;
    const sentMs =
      minBytesPerSecond === 0 ? Infinity : ((body.received - before) / minBytesPerSecond) * 1_000;
    const passedMs = request.readableFlowing === true ? nowMs - lookedMs : 0;
    before = body.received;
    lookedMs = nowMs;
    creditMs = Math.min(graceMs, creditMs + sentMs - passedMs);
    if (creditMs < 0 || nowMs >= dueMs) body.tooSlow();
    else runtime.wheel.arm(alarm, nowMs + LOOK_EVERY_MS);
  });
  runtime.wheel.arm(alarm, lookedMs + LOOK_EVERY_MS);
}

/** Calls back with the whole body; a client that sends none of it for the route's idle time is too slow. */
export function collectBody(exchange: Exchange, body: RequestBody, done: (whole: Buffer) => void): void {
  const { wheel } = exchange.runtime;
  const idleMs = exchange.route?.timeout.idleMs ?? 0;
  const alarm = new Alarm((nowMs) => {
    if (nowMs < body.progressMs + idleMs) wheel.arm(alarm, body.progressMs + idleMs);
    else body.tooSlow();
  });
  // Ends with the exchange at the latest.
  exchange.alarm = alarm;
  wheel.arm(alarm, body.progressMs + idleMs);
  body.collect((whole) => {
    wheel.disarm(alarm);
    exchange.alarm = null;
    done(whole);
  });
}
