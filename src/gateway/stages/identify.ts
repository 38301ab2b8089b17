/**
 * Gives the request its id and its place in a trace: continued when the client's fields are sound, else new.
 * Knows nothing of where the trace is collected.
 * @module
 */

import { isSoundTraceState, knownFlags, parseTraceParent } from '../../telemetry/trace-context.ts';
import type { Exchange } from '../exchange.ts';
import { randomHex32 } from '../random-ids.ts';

const REQUEST_ID = /^[\w-]{8,64}$/;

export function identify(exchange: Exchange): boolean {
  if (!REQUEST_ID.test(exchange.requestId)) exchange.requestId = randomHex32();
  const parent =
    exchange.incomingTraceparent === '' ? undefined : parseTraceParent(exchange.incomingTraceparent);
  if (parent === undefined) {
    exchange.traceId = randomHex32();
  } else {
    exchange.traceId = parent.traceId;
    exchange.traceFlags = parent.flags === '01' ? '01' : knownFlags(parent.flags);
  }
  const fields = exchange.upstreamFields;
  fields.push('X-Request-ID', exchange.requestId, 'traceparent', '');
  exchange.traceparentAt = fields.length - 1;
  if (parent !== undefined && exchange.incomingTracestate !== '') {
    if (isSoundTraceState(exchange.incomingTracestate))
      fields.push('tracestate', exchange.incomingTracestate);
  }
  return true;
}
