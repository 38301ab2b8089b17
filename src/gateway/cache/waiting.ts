/**
 * Waiting for another request that fetches the same: until it has landed, at most for as long as an answer may take.
 * Knows how a wait ends, not who leads.
 * @module
 */

import type { FallbackCause } from '../../config/policies/fallback-schema.ts';
import { Alarm } from '../alarm.ts';
import type { Exchange } from '../exchange.ts';
import { giveUp } from '../fallback.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import type { CacheRun } from './cache-run.ts';
import type { Flight, Landing } from './flights.ts';

/** The upstream has just failed several; nobody can say when it will be well. */
const FAILING_RETRY_S = '1';

/** Milliseconds in which the head of a response must be there, retries included. */
export function patienceMs({ route }: Exchange): number {
  return route?.timeout.totalMs ?? 0;
}

export function waitFor(exchange: Exchange, run: CacheRun, flight: Flight): void {
  const { runtime } = exchange;
  if (run.waitUntilMs === 0) run.waitUntilMs = runtime.monotonicMs() + patienceMs(exchange);
  run.onLanding = (landing, status) => {
    run.leaderFailure = status;
    goOn(exchange, run, landing);
  };
  flight.wait(run);
  const alarm = new Alarm(() => {
    const { waitsFor } = run;
    run.onLanding = null;
    waitsFor?.leave(run);
    // An answer that has begun may be a long one; without a beginning it is late for whoever asks.
    goOn(exchange, run, waitsFor?.headSeen === true ? 'stored' : 'late');
  });
  exchange.alarm = alarm;
  runtime.wheel.arm(alarm, run.waitUntilMs);
}

function goOn(exchange: Exchange, run: CacheRun, landing: Landing): void {
  const { runtime } = exchange;
  if (exchange.alarm !== null) runtime.wheel.disarm(exchange.alarm);
  exchange.alarm = null;
  if (exchange.recorded) return;
  run.outcome = 'collapsed';
  if (landing === 'failed') {
    refuse(exchange, 'breaker', 'UPSTREAM_FAILING', ['Retry-After', FAILING_RETRY_S]);
    return;
  }
  if (landing === 'late') {
    refuse(exchange, 'timeout', 'UPSTREAM_TIMEOUT', []);
    return;
  }
  run.waited = landing !== 'lost';
  exchange.stage -= 1;
  exchange.proceed();
}

/** It does not ask itself: no attempt of the version, but the analysis must know that its sample is cut. */
function refuse(
  exchange: Exchange,
  cause: FallbackCause,
  code: GatewayErrorCode,
  fields: readonly string[],
): void {
  if (!exchange.forced && exchange.version !== null) exchange.version.counter.refused += 1;
  // The stages after the cache ask the service that stands in.
  if (giveUp(exchange, cause, code, fields)) exchange.proceed();
}
