/**
 * A source of metric values by PromQL. Adapter: Prometheus and what speaks its HTTP API.
 * Every way of having no answer is its own result, never a silent pass or fail.
 * @module
 */

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
  /** No answer within the time-out. */
  | { readonly kind: 'slow'; readonly timeoutMs: number }
  /** Connection refused, reset, DNS failure, or a 5xx status. */
  | { readonly kind: 'down'; readonly detail: string }
  /** The source understood and refused: bad query, not allowed. */
  | { readonly kind: 'refused'; readonly detail: string };

export interface MetricSource {
  /** Evaluates an instant query at `atMs`. Never rejects but for a bug. */
  query(promql: string, atMs: number, signal: AbortSignal): Promise<MetricResult>;
}
