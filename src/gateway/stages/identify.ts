/**
 * Gives the request its id and its place in a trace: continued when the client's fields are sound, else new. Decides
 * whether it is traced.
 * Knows nothing of where the trace is collected.
 * @module
 */

import {
  isSoundTraceState,
  knownFlags,
  parseTraceParent,
  SAMPLED_BIT,
  type TraceParent,
} from '../../telemetry/trace-context.ts';
import type { Exchange } from '../exchange.ts';
import { randomFraction, randomHex32 } from '../random-ids.ts';
import { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracer } from '../tracing/tracer.ts';

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
  if (exchange.runtime.tracer !== null) beginTrace(exchange, exchange.runtime.tracer, parent);
  const fields = exchange.upstreamFields;
  fields.push('X-Request-ID', exchange.requestId, 'traceparent', '');
  exchange.traceparentAt = fields.length - 1;
  if (parent !== undefined && exchange.incomingTracestate !== '') {
    if (isSoundTraceState(exchange.incomingTracestate))
      fields.push('tracestate', exchange.incomingTracestate);
  }
  return true;
}

/** As the parent decided; a trace that begins here, by its share. */
function beginTrace(exchange: Exchange, tracer: Tracer, parent: TraceParent | undefined): void {
  if (parent === undefined) {
    const share = exchange.snapshot.config.tracing?.share ?? 0;
    exchange.traceFlags = randomFraction() < share ? '01' : '00';
  }
  if ((Number.parseInt(exchange.traceFlags, 16) & SAMPLED_BIT) === 0) return;
  exchange.trace = new RequestTrace(tracer, parent?.parentId ?? '');
}
