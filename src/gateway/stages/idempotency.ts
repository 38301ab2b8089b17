/**
 * Makes a POST or PATCH with an Idempotency-Key once: the first claims the key, others wait their turn (409), get its
 * answer again, or are told that the key is taken (422). Reads the body to know one request from another.
 * @module
 */

import { parseIdempotencyKey, takesIdempotencyKey } from '../../core/policy/idempotency.ts';
import { hostName } from '../../core/policy/request-target.ts';
import type { IdempotentClaim } from '../../ports/shared-state.ts';
import { Alarm } from '../alarm.ts';
import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import type { KeyCounts, KeyOutcome } from '../idempotency-metrics.ts';
import { callerOf, fingerprintOf } from '../idempotent-caller.ts';
import { IdempotentHold, type StoredAnswer } from '../idempotent-hold.ts';
import { IDEMPOTENCY_WAIT_MS } from '../limits.ts';
import { ownFields } from '../own-fields.ts';
import { replyProblem } from '../problem.ts';
import { watchRest } from '../slow-reader.ts';
import type { CompiledRoute } from '../snapshot.ts';
import { sendWhole } from '../transform/outgoing.ts';
import { readWholeBody } from '../whole-body.ts';

/** A claim outlives the total time of its request by this, for the end of the response. */
const CLAIM_GRACE_MS = 60_000;
const RETRY_AFTER_S = '1';

export function idempotency(exchange: Exchange): boolean {
  const { route } = exchange;
  if (route === null || route.idempotency === null || !takesIdempotencyKey(exchange.method)) return true;
  const field = exchange.request.headers['idempotency-key'];
  if (field === undefined) {
    return route.idempotency.policy.required ? refuse(exchange, 'IDEMPOTENCY_KEY_MISSING') : true;
  }
  const key = typeof field === 'string' ? parseIdempotencyKey(field) : undefined;
  if (key === undefined) return refuse(exchange, 'IDEMPOTENCY_KEY_INVALID');
  readBody(exchange, route.idempotency.policy.maxBytes, (body) => claim(exchange, route, key, body));
  return false;
}

/** Nobody is blamed for what no version has seen. */
function refuse(exchange: Exchange, code: GatewayErrorCode, fields: readonly string[] = []): false {
  exchange.version = null;
  replyProblem(exchange, code, '', fields);
  return false;
}

function readBody(exchange: Exchange, maxBytes: number, done: (body: Buffer | null) => void): void {
  if (exchange.bodyLength === 0) {
    done(null);
    return;
  }
  const limit = Math.min(maxBytes, exchange.route?.maxBodyBytes ?? 0);
  const tooLarge = (): void =>
    replyProblem(exchange, 'BODY_TOO_LARGE', `With an idempotency key the limit is ${limit} bytes.`);
  if (exchange.bodyLength > limit) {
    exchange.version = null;
    tooLarge();
    return;
  }
  readWholeBody(exchange, limit, done, (failure) => {
    exchange.version = null;
    if (failure === 'too-large') tooLarge();
    else replyProblem(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
  });
}

function claim(exchange: Exchange, route: CompiledRoute, key: string, body: Buffer | null): void {
  const { policy, counts } = route.idempotency ?? {};
  if (policy === undefined || counts === undefined) return;
  const { shared, wheel, monotonicMs, logger } = exchange.runtime;
  const storeKey = JSON.stringify([
    route.service.name,
    hostName(exchange.authority),
    callerOf(exchange),
    exchange.method,
    exchange.path,
    key,
  ]);
  const fingerprint = fingerprintOf(exchange, body);
  let waiting = true;
  const giveUp = (error: unknown): void => {
    if (!waiting) return;
    waiting = false;
    wheel.disarm(alarm);
    logger.warn({ err: error }, 'idempotency keys cannot be claimed');
    if (!exchange.recorded) withoutState(exchange, policy.whenDown, counts);
  };
  const alarm = new Alarm(() => giveUp(new Error(`no answer within ${IDEMPOTENCY_WAIT_MS} ms`)));
  wheel.arm(alarm, monotonicMs() + IDEMPOTENCY_WAIT_MS);
  shared.beginIdempotent(storeKey, fingerprint, route.timeout.totalMs + CLAIM_GRACE_MS).then((claimed) => {
    const hold =
      claimed.kind === 'claimed'
        ? new IdempotentHold({
            shared,
            key: storeKey,
            token: claimed.token,
            ttlMs: policy.ttlMs,
            maxBytes: policy.maxBytes,
            wheel,
            monotonicMs,
            logger,
          })
        : null;
    if (!waiting || exchange.recorded) {
      // Too late, or nobody is there any more: nothing was sent, so the key is free again.
      wheel.disarm(alarm);
      hold?.release();
      return;
    }
    waiting = false;
    wheel.disarm(alarm);
    exchange.hold = hold;
    settle(exchange, claimed, counts);
  }, giveUp);
}

function settle(exchange: Exchange, claimed: IdempotentClaim, counts: KeyCounts): void {
  switch (claimed.kind) {
    case 'claimed':
      note(exchange, counts, 'claimed');
      exchange.proceed();
      return;
    case 'in-flight':
      note(exchange, counts, 'in_flight');
      refuse(exchange, 'IDEMPOTENCY_IN_FLIGHT', ['Retry-After', RETRY_AFTER_S]);
      return;
    case 'other-request':
      note(exchange, counts, 'other_request');
      refuse(exchange, 'IDEMPOTENCY_KEY_REUSED');
      return;
    case 'answered':
      replay(exchange, claimed.answer, counts);
  }
}

function replay(exchange: Exchange, text: string, counts: KeyCounts): void {
  // Written by an IdempotentHold of this or another gateway.
  const { status, fields, body } = JSON.parse(text) as StoredAnswer;
  if (body === null) {
    note(exchange, counts, 'not_kept');
    refuse(exchange, 'IDEMPOTENCY_ANSWER_NOT_KEPT');
    return;
  }
  note(exchange, counts, 'replayed');
  exchange.version = null;
  const bytes = Buffer.from(body, 'base64');
  const own = [...ownFields(exchange), 'Idempotency-Replayed', 'true'];
  sendWhole(exchange, status, [...own, ...fields], bytes);
  watchRest(exchange);
}

function withoutState(exchange: Exchange, whenDown: 'allow' | 'deny', counts: KeyCounts): void {
  note(exchange, counts, 'unavailable');
  if (whenDown === 'allow') exchange.proceed();
  else refuse(exchange, 'IDEMPOTENCY_UNAVAILABLE', ['Retry-After', RETRY_AFTER_S]);
}

function note(exchange: Exchange, counts: KeyCounts, outcome: KeyOutcome): void {
  counts[outcome] += 1;
  exchange.keyOutcome = outcome;
}
