/**
 * Reshapes the JSON body of a request before any attempt. Reads the whole body, within its limit; knows the rules'
 * limits, not what they do.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { replyProblem } from '../problem.ts';
import { collectBody, watchSender } from '../slow-sender.ts';
import { fieldsWithout, valueIndexOf } from '../transform/field-list.ts';
import type { CompiledJson } from '../transform/transform-model.ts';
import { RequestBody } from '../upstream/request-body.ts';

const DIGESTS: ReadonlySet<string> = new Set(['content-md5', 'digest', 'content-digest', 'repr-digest']);

export function mapBody(exchange: Exchange): boolean {
  const json = exchange.route?.transform?.requestJson ?? null;
  if (json === null || exchange.bodyLength === 0) return true;
  const kind = json.kindOf(exchange.upstreamFields);
  if (kind === null || kind === 'lines') return true;
  if (kind === 'unreadable') return !json.refuses || refuse(exchange, 'MALFORMED_BODY');
  if (exchange.wholeBody !== null) {
    if (exchange.wholeBody.length > json.maxBytes) return !json.refuses || refuseLarge(exchange, json);
    return apply(exchange, json, exchange.wholeBody);
  }
  if (exchange.bodyLength > json.maxBytes) return !json.refuses || refuseLarge(exchange, json);
  const limit = Math.min(json.maxBytes, exchange.route?.maxBodyBytes ?? 0);
  const body = new RequestBody({
    source: exchange.request,
    limit,
    replayLimit: limit,
    coarseNowMs: () => exchange.runtime.wheel.coarseNowMs,
    onFailure: (failure) => {
      if (failure === 'too-large') refuseLarge(exchange, json);
      if (failure === 'too-slow') refuse(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
    },
  });
  exchange.body = body;
  watchSender(exchange, body);
  if (exchange.expectsContinue) exchange.response.writeContinue();
  collectBody(exchange, body, (whole) => {
    exchange.wholeBody = whole;
    if (apply(exchange, json, whole)) exchange.proceed();
  });
  return false;
}

function apply(exchange: Exchange, json: CompiledJson, body: Buffer): boolean {
  const mapped = json.map(exchange, body);
  if (mapped === undefined) return !json.refuses || refuse(exchange, 'MALFORMED_BODY');
  exchange.wholeBody = mapped;
  exchange.upstreamFields = fieldsWithout(exchange.upstreamFields, (name) => DIGESTS.has(name));
  exchange.traceparentAt = valueIndexOf(exchange.upstreamFields, 'traceparent');
  exchange.note('request_body', 'mapped');
  return true;
}

/** Nobody is blamed for what no version has seen. */
function refuse(exchange: Exchange, code: GatewayErrorCode, detail = ''): false {
  exchange.version = null;
  exchange.hold?.release();
  replyProblem(exchange, code, detail);
  return false;
}

function refuseLarge(exchange: Exchange, json: CompiledJson): false {
  return refuse(exchange, 'BODY_TOO_LARGE', `The limit for JSON here is ${json.maxBytes} bytes.`);
}
