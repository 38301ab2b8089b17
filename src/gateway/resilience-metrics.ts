/**
 * Counters of what is done about failing upstreams, for Prometheus: further attempts by service, stand-ins by route.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import type { FallbackCause } from '../config/policies/fallback-schema.ts';
import { LABEL } from '../core/domain/metric-names.ts';
import { escapeLabel, type LabelledRoute, routeLabels } from './metric-labels.ts';

interface BudgetedCounts {
  made: number;
  /** Wanted, but the budget was spent. */
  refused: number;
}

/** Attempts of one service beside the first of each request. */
export interface RetryCounts {
  readonly retry: BudgetedCounts;
  readonly hedge: BudgetedCounts;
}

export class ResilienceMetrics {
  readonly #retries = new Map<string, RetryCounts>();
  readonly #fallbacks = new Map<string, number>();

  retryCounts(service: string): RetryCounts {
    const counts = this.#retries.get(service) ?? {
      retry: { made: 0, refused: 0 },
      hedge: { made: 0, refused: 0 },
    };
    this.#retries.set(service, counts);
    return counts;
  }

  countFallback(route: LabelledRoute, cause: FallbackCause): void {
    const labels = `${routeLabels(route)},cause="${cause}"`;
    this.#fallbacks.set(labels, (this.#fallbacks.get(labels) ?? 0) + 1);
  }

  /** Prometheus text format 0.0.4. */
  render(): string {
    const lines = [
      '# HELP sluice_retries_total Attempts beside the first: made, or refused by the retry budget.',
      '# TYPE sluice_retries_total counter',
    ];
    for (const [service, counts] of this.#retries) {
      for (const kind of ['retry', 'hedge'] as const) {
        for (const outcome of ['made', 'refused'] as const) {
          const labels = `${LABEL.service}="${escapeLabel(service)}",kind="${kind}",outcome="${outcome}"`;
          lines.push(`sluice_retries_total{${labels}} ${counts[kind][outcome]}`);
        }
      }
    }
    if (this.#fallbacks.size > 0) {
      lines.push(
        '# HELP sluice_fallbacks_total Requests for which the fallback of the route stood in, by what failed.',
        '# TYPE sluice_fallbacks_total counter',
      );
    }
    for (const [labels, count] of this.#fallbacks) lines.push(`sluice_fallbacks_total{${labels}} ${count}`);
    return `${lines.join('\n')}\n`;
  }
}
