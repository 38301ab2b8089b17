/**
 * Renewing a stored response while it still serves: an exchange of its own through the same stages, whose response
 * goes nowhere. Its attempts count like any other; no client waits for it.
 * @module
 */

import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Exchange, GatewayResponse } from '../exchange.ts';
import { RequestTrace } from '../tracing/request-trace.ts';
import { valueIndexOf } from '../transform/field-list.ts';
import { CacheRun } from './cache-run.ts';
import { withConditions } from './request-facts.ts';
import type { StoredResponse } from './stored-response.ts';

/** No request either: a response of Node's wants to know its method. */
const NOBODY = new IncomingMessage(new Socket());

/** A response that nobody receives: what is written is gone, the end closes it. */
class NoClient extends GatewayResponse {
  #ended = false;

  override writeHead(): this {
    return this;
  }

  override writeProcessing(): void {}

  override writeEarlyHints(): void {}

  override flushHeaders(): void {}

  override write(): boolean {
    return true;
  }

  override end(): this {
    if (!this.#ended) {
      this.#ended = true;
      queueMicrotask(() => this.emit('close'));
    }
    return this;
  }

  override destroy(): this {
    return this.end();
  }
}

/** One renewal per key at a time; none while the gateway drains. */
export function renewInBackground(exchange: Exchange, run: CacheRun, stored: StoredResponse): void {
  const { runtime } = exchange;
  if (runtime.draining || runtime.cache.flights.get(run.flightKey) !== undefined) return;
  const renewal = new Exchange(
    runtime,
    exchange.request,
    new NoClient(NOBODY),
    runtime.monotonicMs(),
    exchange.snapshot,
  );
  renewal.stage = exchange.stage;
  renewal.method = 'GET';
  renewal.path = exchange.path;
  renewal.query = exchange.query;
  renewal.upstreamTarget = exchange.upstreamTarget;
  renewal.authority = exchange.authority;
  renewal.clientIp = exchange.clientIp;
  renewal.requestId = exchange.requestId;
  renewal.traceId = exchange.traceId;
  renewal.traceFlags = exchange.traceFlags;
  if (runtime.tracer !== null && exchange.trace !== null)
    renewal.trace = new RequestTrace(runtime.tracer, exchange.trace.spanId);
  renewal.route = exchange.route;
  renewal.claims = exchange.claims;
  renewal.version = exchange.version;
  renewal.forced = exchange.forced;
  renewal.stickySource = exchange.stickySource;
  const next = new CacheRun(runtime.cache, run.compiled, run.facts, run.resource, run.selector, true);
  next.stored = stored;
  next.reason = 'stale';
  next.flight = runtime.cache.flights.lead(run.flightKey, runtime.monotonicMs());
  next.sent(runtime.clock.nowMs());
  renewal.cacheRun = next;
  renewal.upstreamFields = exchange.upstreamFields;
  validate(renewal, next, stored);
  runtime.beginBackground(renewal);
  renewal.proceed();
}

/** Asks the upstream only whether the stored response still holds, if that has a validator. */
export function validate(exchange: Exchange, run: CacheRun, stored: StoredResponse): void {
  const fields = withConditions(exchange.upstreamFields, stored.etag, stored.lastModified);
  exchange.upstreamFields = fields;
  exchange.traceparentAt = valueIndexOf(fields, 'traceparent');
  run.validating = stored.etag !== '' || stored.lastModified !== '';
}
