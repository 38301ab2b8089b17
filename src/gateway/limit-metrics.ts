/**
 * Counters of the limits for Prometheus: by service, route, limit and what became of the request.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { LABEL } from '../core/domain/metric-names.ts';

/** Requests that one limit of one route decided on. */
export interface LimitCounts {
  allowed: number;
  refused: number;
  /** Decided without the shared state, as `whenDown` says; also counted in one of the others. */
  withoutState: number;
}

const OUTCOMES = [
  ['allowed', 'allowed'],
  ['refused', 'refused'],
  ['withoutState', 'without_state'],
] as const;

export class LimitMetrics {
  readonly #counts = new Map<string, LimitCounts>();

  counts(service: string, pattern: string, limit: string): LimitCounts {
    const labels = `${LABEL.service}="${escaped(service)}",${LABEL.route}="${escaped(pattern)}",limit="${escaped(limit)}"`;
    const counts = this.#counts.get(labels) ?? { allowed: 0, refused: 0, withoutState: 0 };
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty without limits. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const lines = [
      '# HELP sluice_limit_requests_total Requests by what a limit, quota or cap decided.',
      '# TYPE sluice_limit_requests_total counter',
    ];
    for (const [labels, counts] of this.#counts) {
      for (const [field, outcome] of OUTCOMES) {
        lines.push(`sluice_limit_requests_total{${labels},outcome="${outcome}"} ${counts[field]}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

function escaped(value: string): string {
  return value.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
