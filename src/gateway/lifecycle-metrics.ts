/**
 * Counters of requests to routes on their way out, by caller, so that whoever retires one knows whom to ask.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { KnownCallers, type LifecycleState } from '../core/policy/lifecycle.ts';
import { MAX_COUNTED_CALLERS } from './limits.ts';
import { escapeLabel, type LabelledRoute, routeLabels } from './metric-labels.ts';

/** Of one route. */
export class LifecycleCounts {
  readonly #callers = new KnownCallers(MAX_COUNTED_CALLERS);
  readonly byCaller = new Map<string, Partial<Record<LifecycleState, number>>>();

  /** `caller`: as the validated credential names it, or empty. */
  add(state: LifecycleState, caller: string): void {
    const label = this.#callers.labelOf(caller);
    const counts = this.byCaller.get(label) ?? {};
    counts[state] = (counts[state] ?? 0) + 1;
    this.byCaller.set(label, counts);
  }
}

export class LifecycleMetrics {
  readonly #routes = new Map<string, LifecycleCounts>();

  counts(route: LabelledRoute): LifecycleCounts {
    const labels = routeLabels(route);
    const counts = this.#routes.get(labels) ?? new LifecycleCounts();
    this.#routes.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty before the first such request. */
  render(): string {
    const samples = [...this.#routes].flatMap(([labels, { byCaller }]) =>
      [...byCaller].flatMap(([caller, counts]) =>
        Object.entries(counts).map(
          ([state, count]) =>
            `sluice_deprecated_requests_total{${labels},caller="${escapeLabel(caller)}",state="${state}"} ${count}`,
        ),
      ),
    );
    if (samples.length === 0) return '';
    return `${[
      '# HELP sluice_deprecated_requests_total Requests to routes with a lifecycle, by caller and state.',
      '# TYPE sluice_deprecated_requests_total counter',
      ...samples,
    ].join('\n')}\n`;
  }
}
