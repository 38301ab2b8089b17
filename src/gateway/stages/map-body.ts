/**
 * Reshapes the body of a request before any attempt. Reads the whole body, within its limit, and takes a content coding
 * off; knows what is to be refused, not what the rules do.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { replyProblem } from '../problem.ts';
import { noteChanged, notePassed, noteRefused } from '../transform/body-outcome.ts';
import type { Outcome } from '../transform/body-turns.ts';
import { READABLE_CODINGS, unpack } from '../transform/content-coding.ts';
import { valueIndexOf } from '../transform/field-list.ts';
import type { BodyPlan } from '../transform/transform-model.ts';
import { type BodyTrouble, UnreadableBody } from '../transform/unreadable-body.ts';
import { readWholeBody } from '../whole-body.ts';

const CODES: Readonly<Record<BodyTrouble, GatewayErrorCode>> = {
  malformed: 'MALFORMED_BODY',
  'too-large': 'BODY_TOO_LARGE',
  unsupported: 'UNSUPPORTED_BODY',
};

export function mapBody(exchange: Exchange): boolean {
  const { route, bodyLength, upstreamFields, wholeBody } = exchange;
  if (route?.transform?.requestBody == null || bodyLength === 0) return true;
  const plan = route.transform.requestBody.plan(exchange, upstreamFields, 0);
  if (plan === null) return true;
  if (plan.unreadable !== null) return giveUp(exchange, plan, plan.unreadable);
  const limit = Math.min(plan.maxBytes, route.maxBodyBytes);
  if (wholeBody !== null) return reshape(exchange, plan, limit, wholeBody);
  if (bodyLength > limit) return giveUp(exchange, plan, tooLarge(limit));
  readWholeBody(
    exchange,
    limit,
    (whole) => {
      if (reshape(exchange, plan, limit, whole)) exchange.proceed();
    },
    (failure) => {
      if (failure === 'too-large') refuse(exchange, tooLarge(limit));
      else leave(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
    },
  );
  return false;
}

/** False: refused, or not yet: a coding is taken off beside the event loop. */
function reshape(exchange: Exchange, plan: BodyPlan, limit: number, body: Buffer): boolean {
  if (plan.coding === null) {
    return body.length > limit ? giveUp(exchange, plan, tooLarge(limit)) : apply(exchange, plan, body);
  }
  const goOn = (goes: boolean): void => {
    if (goes) exchange.proceed();
  };
  unpack(
    plan.coding,
    limit,
    body,
    (plain) => !exchange.recorded && goOn(apply(exchange, plan, plain)),
    (trouble) => !exchange.recorded && goOn(giveUp(exchange, plan, trouble)),
  );
  return false;
}

/** False: refused, or not yet: a large body is reshaped in several turns of the event loop. */
function apply(exchange: Exchange, plan: BodyPlan, body: Buffer): boolean {
  if (plan.map === null) return true;
  const { runtime, response } = exchange;
  const outcome = runtime.bodyTurns.run(plan.map(body), response, (later) => {
    if (settle(exchange, plan, later)) exchange.proceed();
  });
  return outcome !== null && settle(exchange, plan, outcome);
}

function settle(exchange: Exchange, plan: BodyPlan, outcome: Outcome<Buffer>): boolean {
  if ('error' in outcome) {
    const { error } = outcome;
    if (error instanceof UnreadableBody) return giveUp(exchange, plan, error);
    // Nobody above would catch it.
    exchange.runtime.logger.error({ err: error, requestId: exchange.requestId }, 'a body was not reshaped');
    return leave(exchange, 'INTERNAL', '');
  }
  exchange.wholeBody = outcome.value;
  exchange.upstreamFields = plan.fields(exchange.upstreamFields);
  exchange.traceparentAt = valueIndexOf(exchange.upstreamFields, 'traceparent');
  // What was said of the body that came, such as a digest, is not true of this one.
  exchange.trailers = null;
  noteChanged(exchange, 'request', plan.change);
  return true;
}

function tooLarge(limit: number): UnreadableBody {
  return new UnreadableBody('too-large', `it is larger than ${limit} bytes`);
}

/** True: the body goes on as it came. */
function giveUp(exchange: Exchange, plan: BodyPlan, trouble: UnreadableBody): boolean {
  if (plan.refuses) return refuse(exchange, trouble);
  notePassed(exchange, 'request', trouble);
  return true;
}

function refuse(exchange: Exchange, unreadable: UnreadableBody): false {
  const { trouble, message } = unreadable;
  noteRefused(exchange, 'request', unreadable);
  const fields = trouble === 'unsupported' ? ['Accept-Encoding', READABLE_CODINGS] : [];
  return leave(exchange, CODES[trouble], `The body cannot be read: ${message}.`, fields);
}

/** Nobody is blamed for what no version has seen. */
function leave(
  exchange: Exchange,
  code: GatewayErrorCode,
  detail: string,
  fields: readonly string[] = [],
): false {
  exchange.version = null;
  exchange.hold?.release();
  replyProblem(exchange, code, detail, fields);
  return false;
}
