/**
 * A source of metric values by PromQL. Adapter: Prometheus and what speaks its HTTP API.
 * Every way of having no answer is its own result, never a silent pass or fail.
 * @module
 */

import type { CounterSeries } from '../core/analysis/counter-samples.ts';

/** No answer, and why. */
export type MetricFailure =
  /** No answer within the time-out. */
  | { readonly kind: 'slow'; readonly timeoutMs: number }
  /** Connection refused, reset, DNS failure, or a 5xx status. */
  | { readonly kind: 'down'; readonly detail: string }
  /** The source understood and refused: bad query, not allowed, larger than is read. */
  | { readonly kind: 'refused'; readonly detail: string };

export type MetricResult =
  | {
      readonly kind: 'value';
      readonly value: number;
      readonly sampledAtMs: number;
      readonly warnings: readonly string[];
    }
  /** No series matched. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'nan' }
  | { readonly kind: 'many-series'; readonly count: number; readonly examples: readonly string[] }
  | MetricFailure;

export type SamplesResult =
  | { readonly kind: 'series'; readonly series: readonly CounterSeries[] }
  | MetricFailure;

export interface MetricSource {
  /** Evaluates an instant query at `atMs`. Never rejects but for a bug. */
  query(promql: string, atMs: number, signal: AbortSignal): Promise<MetricResult>;
  /**
   * Every sample that a selector's series have from `fromMs` to `toMs` (epoch milliseconds), as scraped: nothing is
   * interpolated. A sample at `fromMs` itself may be missing. Never rejects but for a bug.
   */
  samples(selector: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<SamplesResult>;
}
