/**
 * The spans of one request that is traced: its own and one for each attempt, with OpenTelemetry's names for HTTP.
 * Exists only for requests that are; knows no library, and nothing that the access log would not tell.
 * @module
 */

import type { Exchange, RunningTrace, TracedAttempt } from '../exchange.ts';
import { isBrokenOff } from '../gateway-errors.ts';
import { isKnownMethod } from '../known-methods.ts';
import { policyOutcomes } from '../policy-outcomes.ts';
import { randomHex16 } from '../random-ids.ts';
import { OUTCOME, type OutcomeIndex } from '../version-counter.ts';
import type { Span, Tracer } from './tracer.ts';

type Attributes = Record<string, string | number | boolean>;

export class RequestTrace implements RunningTrace {
  readonly spanId = randomHex16();
  readonly #tracer: Tracer;
  /** Empty: the trace begins here. */
  readonly #parentId: string;
  /** Span id and number of each attempt that is under way. */
  readonly #attempts = new Map<TracedAttempt, { readonly spanId: string; readonly number: number }>();
  #ended = false;

  constructor(tracer: Tracer, parentId: string) {
    this.#tracer = tracer;
    this.#parentId = parentId;
  }

  beginAttempt(attempt: TracedAttempt, spanId: string, number: number): void {
    this.#attempts.set(attempt, { spanId, number });
  }

  endAttempt(attempt: TracedAttempt, outcome: OutcomeIndex, nowMs: number): void {
    const begun = this.#attempts.get(attempt);
    if (begun === undefined) return;
    this.#attempts.delete(attempt);
    const { exchange, version, target, status } = attempt;
    const { spanId, number } = begun;
    const { protocol, hostname, port } = new URL(target.endpoint.origin);
    const attributes: Attributes = {
      ...methodAttributes(exchange.method),
      'url.scheme': protocol.slice(0, -1),
      'server.address': hostname,
      'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
      'sluice.version': version.name,
    };
    if (number > 1) attributes['http.request.resend_count'] = number - 1;
    if (status > 0) attributes['http.response.status_code'] = status;
    const error = errorOf(outcome, status);
    if (error !== '') attributes['error.type'] = error;
    this.#end(exchange, {
      spanId,
      parentId: this.spanId,
      remoteParent: false,
      kind: 'client',
      name: methodName(exchange.method),
      startedMs: attempt.startedMs,
      nowMs,
      failed: error !== '' && outcome !== OUTCOME.clientAborted,
      attributes,
    });
  }

  end(exchange: Exchange, status: number): void {
    if (this.#ended) return;
    this.#ended = true;
    const { route, version, runtime, errorCode } = exchange;
    const background = exchange.cacheRun?.background === true;
    const { redacted } = exchange.snapshot.config.logRules;
    const attributes: Attributes = {
      ...methodAttributes(exchange.method),
      'url.scheme': exchange.secure ? 'https' : 'http',
      'sluice.attempts': exchange.attempts,
    };
    if (exchange.authority !== '') addServer(attributes, exchange.authority);
    if (exchange.clientIp !== '' && !redacted.has('client_ip'))
      attributes['client.address'] = exchange.clientIp;
    if (!redacted.has('request_id')) attributes['sluice.request_id'] = exchange.requestId;
    if (route !== null) {
      attributes['http.route'] = route.pattern;
      attributes['sluice.route'] = route.name;
      attributes['sluice.service'] = route.service.name;
    }
    if (version !== null) attributes['sluice.version'] = version.name;
    if (status > 0) attributes['http.response.status_code'] = status;
    const failed = status >= 500 || isBrokenOff(errorCode);
    if (errorCode !== '') attributes['error.type'] = errorCode;
    else if (failed) attributes['error.type'] = String(status);
    for (const [name, value] of policyOutcomes(exchange, redacted)) attributes[`sluice.${name}`] = value;
    this.#end(exchange, {
      spanId: this.spanId,
      parentId: this.#parentId,
      remoteParent: !background,
      kind: background ? 'internal' : 'server',
      name: route === null ? methodName(exchange.method) : `${methodName(exchange.method)} ${route.pattern}`,
      startedMs: exchange.startedMs,
      nowMs: runtime.monotonicMs(),
      failed,
      attributes,
    });
  }

  #end(
    { traceId, runtime }: Exchange,
    span: Omit<Span, 'traceId' | 'startMs' | 'endMs'> & {
      readonly startedMs: number;
      readonly nowMs: number;
    },
  ): void {
    const { startedMs, nowMs, ...rest } = span;
    const endMs = runtime.clock.nowMs() - (runtime.monotonicMs() - nowMs);
    this.#tracer.end({ ...rest, traceId, startMs: endMs - (nowMs - startedMs), endMs });
  }
}

function methodName(method: string): string {
  return isKnownMethod(method) ? method : 'HTTP';
}

/** Unknown methods have one name, so that a client cannot make up ever new ones. */
function methodAttributes(method: string): Attributes {
  return isKnownMethod(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method.slice(0, 32) };
}

function addServer(attributes: Attributes, authority: string): void {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  if (host !== undefined) attributes['server.address'] = host;
  if (port !== undefined) attributes['server.port'] = Number(port);
}

/** The same words as the metrics have; a status from 400 on is its own. */
function errorOf(outcome: OutcomeIndex, status: number): string {
  switch (outcome) {
    case OUTCOME.connectError:
      return 'connect';
    case OUTCOME.reset:
      return 'reset';
    case OUTCOME.timeout:
      return 'timeout';
    case OUTCOME.clientAborted:
      return 'client_abort';
    default:
      return status >= 400 ? String(status) : '';
  }
}
