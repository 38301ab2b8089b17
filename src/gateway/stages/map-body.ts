/**
 * Reshapes the body of a request: before any attempt, or as it passes. Reads the whole body, within its limit, and takes
 * a content coding off; knows what is to be refused, not what the rules do.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { leaveUnasked, refuseUnread } from '../refuse-body.ts';
import { describeReshaped, reshapeAsItPasses } from '../reshape-request.ts';
import { noteChanged, notePassed } from '../transform/body-outcome.ts';
import type { Outcome } from '../transform/body-turns.ts';
import { unpack } from '../transform/content-coding.ts';
import type { BodyPlan } from '../transform/transform-model.ts';
import { UnreadableBody } from '../transform/unreadable-body.ts';
import { readWholeBody } from '../whole-body.ts';

export function mapBody(exchange: Exchange): boolean {
  const { route, bodyLength, upstreamFields, wholeBody } = exchange;
  if (route?.transform?.requestBody == null || bodyLength === 0) return true;
  const plan = route.transform.requestBody.plan(exchange, upstreamFields, 0);
  if (plan === null) return true;
  if (plan.unreadable !== null) return giveUp(exchange, plan, plan.unreadable);
  if (plan.open !== null) return reshapeAsItPasses(exchange, route, plan, plan.open);
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
      if (failure === 'too-large') refuseUnread(exchange, tooLarge(limit));
      else leaveUnasked(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
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
    leaveUnasked(exchange, 'INTERNAL', '');
    return false;
  }
  exchange.wholeBody = outcome.value;
  describeReshaped(exchange, plan);
  noteChanged(exchange, 'request', plan.change);
  return true;
}

function tooLarge(limit: number): UnreadableBody {
  return new UnreadableBody('too-large', `it is larger than ${limit} bytes`);
}

/** True: the body goes on as it came. */
function giveUp(exchange: Exchange, plan: BodyPlan, trouble: UnreadableBody): boolean {
  if (plan.refuses) refuseUnread(exchange, trouble);
  else notePassed(exchange, 'request', trouble);
  return !plan.refuses;
}
