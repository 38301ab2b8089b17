/**
 * What became of spans, for Prometheus. Knows names and numbers only.
 * @module
 */

import type { SpanCounts } from './tracer.ts';

const RESULTS = ['exported', 'failed', 'dropped'] as const;

export class TraceMetrics implements SpanCounts {
  exported = 0;
  failed = 0;
  dropped = 0;

  /** Prometheus text format 0.0.4; empty before the first span. */
  render(): string {
    if (RESULTS.every((result) => this[result] === 0)) return '';
    const name = 'sluice_trace_spans_total';
    const lines = [
      `# HELP ${name} Spans by what became of them: taken by the collector, not taken, or too many waiting.`,
      `# TYPE ${name} counter`,
      ...RESULTS.map((result) => `${name}{result="${result}"} ${this[result]}`),
    ];
    return `${lines.join('\n')}\n`;
  }
}
