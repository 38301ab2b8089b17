/**
 * The metric source on Prometheus and what speaks its HTTP API (Mimir, Thanos, VictoriaMetrics).
 * Owns the request and its limits; what an answer means is in `prometheus-answer.ts`.
 * @module
 */

import { PrometheusDriver } from 'prometheus-query';
import type { MetricFailure, MetricSource } from '../../ports/metric-source.ts';
import { type HttpAnswer, interpretAnswer, interpretSamples } from './prometheus-answer.ts';

export interface PrometheusOptions {
  /** Base address, with the path prefix where there is one: `http://mimir:8080/prometheus`. */
  readonly url: string;
  /** From the call to the last byte of the answer, milliseconds. */
  readonly timeoutMs: number;
  readonly bearerToken: string | null;
}

/** A hundred thousand samples, or a query that forgot to aggregate. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

type DriverOptions = ConstructorParameters<typeof PrometheusDriver>[0];
type RequestConfig = Parameters<NonNullable<DriverOptions['requestInterceptor']>['onFulfilled']>[0];

export function createPrometheusSource(options: PrometheusOptions): MetricSource {
  const { timeoutMs } = options;
  return {
    async query(promql, atMs, signal) {
      const answer = await ask(options, promql, atMs, signal);
      return 'kind' in answer ? answer : interpretAnswer(answer, timeoutMs);
    },
    async samples(selector, fromMs, toMs, signal) {
      const answer = await ask(options, `${selector}[${Math.ceil(toMs - fromMs)}ms]`, toMs, signal);
      return 'kind' in answer ? answer : interpretSamples(answer, timeoutMs);
    },
  };
}

const CANCELLED: MetricFailure = { kind: 'down', detail: 'the query was cancelled' };

async function ask(
  options: PrometheusOptions,
  promql: string,
  atMs: number,
  signal: AbortSignal,
): Promise<HttpAnswer | MetricFailure> {
  if (signal.aborted) return CANCELLED;
  // The driver's own time-out restarts with every byte received, so the deadline is kept here.
  const ended = new AbortController();
  const cancel = () => ended.abort('cancelled');
  signal.addEventListener('abort', cancel, { once: true });
  const timer = setTimeout(() => ended.abort('timeout'), options.timeoutMs);
  try {
    return await askBefore(options, promql, atMs, ended.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
  }
}

/**
 * A driver per query, because its interceptors are the only way to give one request a signal and limits. The
 * answer is taken from the interceptor as well: the driver drops warnings and reads `+Inf` as not-a-number.
 */
async function askBefore(
  options: PrometheusOptions,
  promql: string,
  atMs: number,
  ended: AbortSignal,
): Promise<HttpAnswer | MetricFailure> {
  let answer: HttpAnswer | undefined;
  const driver = new PrometheusDriver({
    endpoint: options.url.replace(/\/+$/, ''),
    // A query of any length fits a body, but not every proxy's limit on URLs.
    preferPost: true,
    timeout: options.timeoutMs,
    headers: options.bearerToken === null ? {} : { authorization: `Bearer ${options.bearerToken}` },
    requestInterceptor: { onFulfilled: (config) => limited(config, ended) },
    responseInterceptor: {
      onFulfilled: (response) => {
        answer = {
          status: response.status,
          contentType: String(response.headers['content-type'] ?? ''),
          body: response.data,
        };
        return response;
      },
    },
  });
  let failure: unknown;
  try {
    await driver.instantQuery(promql, new Date(atMs), `${options.timeoutMs}ms`);
  } catch (error) {
    failure = error;
  }
  return answer ?? interpretFailure(failure, options.timeoutMs, ended);
}

function limited(config: RequestConfig, ended: AbortSignal): RequestConfig {
  config.signal = ended;
  config.maxContentLength = MAX_ANSWER_BYTES;
  // A redirect could carry the bearer token to somewhere else.
  config.maxRedirects = 0;
  // The environment is read in bin/ only; the driver would take HTTP_PROXY from it.
  config.proxy = false;
  config.validateStatus = () => true;
  return config;
}

function interpretFailure(failure: unknown, timeoutMs: number, ended: AbortSignal): MetricFailure {
  if (ended.aborted) return ended.reason === 'timeout' ? { kind: 'slow', timeoutMs } : CANCELLED;
  const { code, error } = driverFailure(failure);
  if (code === 'ECONNABORTED' || code === 'ETIMEDOUT') return { kind: 'slow', timeoutMs };
  if (error.startsWith('maxContentLength')) {
    return { kind: 'refused', detail: `the answer is larger than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB` };
  }
  return { kind: 'down', detail: error || code || 'the connection failed' };
}

/** The driver throws plain objects: `{ errorType, error, code }`. */
function driverFailure(failure: unknown): { readonly code: string; readonly error: string } {
  if (typeof failure !== 'object' || failure === null) return { code: '', error: String(failure) };
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    code: 'code' in failure ? text(failure.code) : '',
    error: 'error' in failure ? text(failure.error) : failure instanceof Error ? failure.message : '',
  };
}
