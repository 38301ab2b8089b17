/**
 * Holds requests to the rates and quotas of their route: passes, refuses with 429, and tells the client where it
 * stands. Comes before a version is assigned, so that a refused request is never blamed on one.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { LimitVerdict } from '../limit-keeper.ts';
import { replyProblem } from '../problem.ts';
import { type CompiledLimits, remainingText } from '../route-limits.ts';

const RETRY_WITHOUT_STATE_S = '1';

export function limit(exchange: Exchange): boolean {
  const limits = exchange.route?.limits ?? null;
  if (limits === null) return true;
  const { clock, limitKeeper } = exchange.runtime;
  const nowMs = clock.nowMs();
  let waiting = false;
  let passes = false;
  limitKeeper.take(
    limits.limits.map(({ take }) => take(exchange, nowMs)),
    limits.whenDown,
    (verdict) => {
      if (exchange.recorded) return;
      passes = settle(exchange, limits, verdict);
      if (waiting && passes) exchange.proceed();
    },
  );
  waiting = true;
  return passes;
}

/** Counts what each limit decided; refuses by the one that lasts longest. */
function settle(exchange: Exchange, limits: CompiledLimits, verdict: LimitVerdict): boolean {
  if (verdict.withoutState) for (const { counts } of limits.limits) counts.withoutState += 1;
  if (verdict.denied) {
    exchange.limited = 'unavailable';
    for (const { counts } of limits.limits) counts.refused += 1;
    replyProblem(exchange, 'LIMITS_UNAVAILABLE', '', ['Retry-After', RETRY_WITHOUT_STATE_S]);
    return false;
  }
  const remaining = remainingText(limits, verdict);
  exchange.addedFields ??= [];
  exchange.addedFields.push('RateLimit-Policy', limits.policy);
  if (remaining !== '') exchange.addedFields.push('RateLimit', remaining);
  let refusing = -1;
  let longestMs = 0;
  for (let i = 0; i < limits.limits.length; i += 1) {
    const answer = verdict.answers[i] ?? null;
    if (answer === null || answer.allowed) continue;
    if (refusing < 0 || answer.retryAfterMs > longestMs) {
      refusing = i;
      longestMs = answer.retryAfterMs;
    }
  }
  for (let i = 0; i < limits.limits.length; i += 1) {
    const counts = limits.limits[i]?.counts;
    if (counts === undefined) continue;
    if (verdict.answers[i]?.allowed === false) counts.refused += 1;
    else if (refusing < 0) counts.allowed += 1;
  }
  const refusal = limits.limits[refusing];
  exchange.limited = refusal?.name ?? 'ok';
  if (refusal === undefined) return true;
  const code = refusal.kind === 'rate' ? 'RATE_LIMITED' : 'QUOTA_EXCEEDED';
  replyProblem(exchange, code, `The limit is "${refusal.name}".`, [
    'Retry-After',
    String(Math.max(1, Math.ceil(longestMs / 1000))),
  ]);
  return false;
}
