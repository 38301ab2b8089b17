/**
 * Makes a gRPC call of a JSON request. Reads the whole body; knows which method answers, not how its answer is sent.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { CallReply } from '../grpc/call-reply.ts';
import { type FoundCall, messageOf } from '../grpc/compile-transcoding.ts';
import { BadMessage } from '../grpc/proto-json.ts';
import { replyProblem } from '../problem.ts';
import { codingOf, READABLE_CODINGS, unpack } from '../transform/content-coding.ts';
import { fieldsWithout } from '../transform/field-list.ts';
import { readWholeBody } from '../whole-body.ts';

/** About a body in JSON, or about an answer that HTTP would shorten. */
const NOT_OF_CALLS = /^(?:content-.*|accept|accept-encoding|range|if-.*|grpc-.*|digest|repr-digest)$/i;

const EMPTY = Buffer.alloc(0);

export function transcode(exchange: Exchange): boolean {
  const { route } = exchange;
  const transcoding = route?.transcoding ?? null;
  // Who speaks gRPC needs no help.
  if (route === null || transcoding === null || exchange.grpc) return true;
  const found = transcoding.find(exchange.method, exchange.path);
  if (found === undefined) return refuse(exchange, 'ROUTE_UNKNOWN', 'No method of the service answers it.');
  if (exchange.bodyLength === 0) return call(exchange, found, EMPTY, transcoding.maxMessageBytes);
  const coding = codingOf(exchange.upstreamFields);
  if (coding === undefined) {
    const fields = ['Accept-Encoding', READABLE_CODINGS];
    return refuse(
      exchange,
      'UNSUPPORTED_BODY',
      'The body is in a content coding that is not read here.',
      fields,
    );
  }
  const { maxBodyBytes } = route;
  const tooLarge = (): false => refuse(exchange, 'BODY_TOO_LARGE', `The limit is ${maxBodyBytes} bytes.`);
  /** False: refused, or not yet. */
  const take = (body: Buffer): boolean => {
    if (coding === null) return call(exchange, found, body, transcoding.maxMessageBytes);
    unpack(
      coding,
      maxBodyBytes,
      body,
      (plain) => {
        if (!exchange.recorded && call(exchange, found, plain, transcoding.maxMessageBytes))
          exchange.proceed();
      },
      ({ trouble, message }) => {
        if (exchange.recorded) return;
        if (trouble === 'too-large') tooLarge();
        else refuse(exchange, 'MALFORMED_BODY', `The body cannot be read: ${message}.`);
      },
    );
    return false;
  };
  if (exchange.wholeBody !== null) return take(exchange.wholeBody);
  readWholeBody(
    exchange,
    maxBodyBytes,
    (whole) => {
      if (take(whole)) exchange.proceed();
    },
    (failure) => {
      if (failure === 'too-large') tooLarge();
      else refuse(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
    },
  );
  return false;
}

function call(exchange: Exchange, found: FoundCall, body: Buffer, maxMessageBytes: number): boolean {
  try {
    exchange.wholeBody = messageOf(found, exchange.query, body);
  } catch (error) {
    if (!(error instanceof BadMessage)) throw error;
    return refuse(exchange, 'MALFORMED_BODY', `${error.message}.`);
  }
  const accept = exchange.request.headers.accept ?? '';
  const fields = fieldsWithout(exchange.upstreamFields, (name) => NOT_OF_CALLS.test(name));
  const timeoutMs = Math.min(exchange.route?.timeout.totalMs ?? 0, 99_999_999);
  fields.push('content-type', 'application/grpc', 'grpc-timeout', `${timeoutMs}m`);
  exchange.upstreamFields = fields;
  exchange.traceparentAt = 1 + fields.findIndex((each, i) => i % 2 === 0 && each === 'traceparent');
  exchange.upstreamTarget = found.binding.path;
  exchange.calls = true;
  exchange.call = new CallReply(
    exchange,
    found.binding,
    maxMessageBytes,
    /\btext\/event-stream\b/i.test(accept),
  );
  exchange.note('call', found.binding.path);
  return true;
}

/** Nobody is blamed for what no version has seen. */
function refuse(
  exchange: Exchange,
  code: GatewayErrorCode,
  detail: string,
  fields: readonly string[] = [],
): false {
  exchange.version = null;
  replyProblem(exchange, code, detail, fields);
  return false;
}
