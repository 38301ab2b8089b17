/**
 * What an HTTP answer of a Prometheus-compatible query API means, as a typed result.
 * Knows the API's answer format; knows neither the connection nor the rule that asked.
 * @module
 */

import * as z from 'zod';
import type { CounterSeries } from '../../core/analysis/counter-samples.ts';
import type { MetricFailure, MetricResult, SamplesResult } from '../../ports/metric-source.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Parsed JSON, or the text when it was none. */
  readonly body: unknown;
}

const MAX_EXAMPLES = 3;
const MAX_DETAIL_CHARS = 500;
const MAX_WARNINGS = 10;

const sample = z.tuple([z.number(), z.string()]);
const series = z.object({ metric: z.record(z.string(), z.string()), value: sample.optional() });
const data = z.discriminatedUnion('resultType', [
  z.object({ resultType: z.literal('vector'), result: z.array(series) }),
  z.object({ resultType: z.literal('scalar'), result: sample }),
  z.object({ resultType: z.literal('string') }),
  z.object({ resultType: z.literal('matrix') }),
]);
const success = z.object({
  status: z.literal('success'),
  data,
  warnings: z.array(z.string()).optional(),
  infos: z.array(z.string()).optional(),
});
const matrixSuccess = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('matrix'),
    result: z.array(
      z.object({ metric: z.record(z.string(), z.string()), values: z.array(sample).optional() }),
    ),
  }),
});
const failure = z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() });

type Series = z.output<typeof series>;

export function interpretAnswer(answer: HttpAnswer, timeoutMs: number): MetricResult {
  const parsed = success.safeParse(successBody(answer));
  if (parsed.success) return interpretData(parsed.data.data, parsed.data.warnings ?? []);
  return interpretFailure(answer, timeoutMs);
}

/** Of a range selector; samples that are not-a-number are left out. */
export function interpretSamples(answer: HttpAnswer, timeoutMs: number): SamplesResult {
  const parsed = matrixSuccess.safeParse(successBody(answer));
  if (!parsed.success) return interpretFailure(answer, timeoutMs);
  const series: CounterSeries[] = [];
  for (const { metric, values } of parsed.data.data.result) {
    if (values === undefined) {
      return { kind: 'refused', detail: `${cut(labelSet(metric))} is a native histogram, not a counter` };
    }
    const atMs: number[] = [];
    const numbers: number[] = [];
    for (const [atS, text] of values) {
      const value = parseValue(text) ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      atMs.push(Math.round(atS * 1000));
      numbers.push(value);
    }
    series.push({ labels: metric, atMs, values: numbers });
  }
  return { kind: 'series', series };
}

function successBody({ status, body }: HttpAnswer): unknown {
  return status >= 200 && status < 300 ? body : undefined;
}

function interpretFailure(answer: HttpAnswer, timeoutMs: number): MetricFailure {
  const { status, body } = answer;
  const failed = failure.safeParse(body);
  // 503 with this type: the query, not the server, ran out of time.
  if (failed.success && failed.data.errorType === 'timeout') return { kind: 'slow', timeoutMs };
  const said = failed.success ? `: ${cut(failed.data.error)}` : '';
  if (status >= 500 || status === 429) return { kind: 'down', detail: `HTTP ${status}${said}` };
  if (status >= 300 && status < 400) {
    return { kind: 'refused', detail: `HTTP ${status}: redirects are not followed` };
  }
  if (status >= 400 || failed.success) return { kind: 'refused', detail: `HTTP ${status}${said}` };
  const type = answer.contentType || 'no content type';
  return { kind: 'refused', detail: `HTTP ${status} with ${cut(type)}, which is no Prometheus query answer` };
}

function interpretData(answered: z.output<typeof data>, warnings: readonly string[]): MetricResult {
  switch (answered.resultType) {
    case 'scalar':
      return interpretSample(answered.result, warnings);
    case 'vector':
      return interpretVector(answered.result, warnings);
    default:
      return { kind: 'refused', detail: `the query gives a ${answered.resultType}, not one number` };
  }
}

function interpretVector(result: readonly Series[], warnings: readonly string[]): MetricResult {
  const [only, ...others] = result;
  if (!only) return { kind: 'empty' };
  if (others.length > 0) {
    const examples = result.slice(0, MAX_EXAMPLES).map((one) => cut(labelSet(one.metric)));
    return { kind: 'many-series', count: result.length, examples };
  }
  if (!only.value) return { kind: 'refused', detail: 'the query gives a native histogram, not one number' };
  return interpretSample(only.value, warnings);
}

function interpretSample([atS, text]: z.output<typeof sample>, warnings: readonly string[]): MetricResult {
  const value = parseValue(text);
  if (value === undefined) return { kind: 'refused', detail: `"${cut(text)}" is not a number` };
  if (Number.isNaN(value)) return { kind: 'nan' };
  return {
    kind: 'value',
    value,
    sampledAtMs: Math.round(atS * 1000),
    warnings: warnings.slice(0, MAX_WARNINGS).map(cut),
  };
}

/** Prometheus writes infinities and not-a-number in Go's spelling, which `Number` does not read. */
function parseValue(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN;
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isNaN(value) ? undefined : value;
}

function labelSet({ __name__: name = '', ...labels }: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}

function cut(text: string): string {
  return text.length > MAX_DETAIL_CHARS ? `${text.slice(0, MAX_DETAIL_CHARS)}…` : text;
}
