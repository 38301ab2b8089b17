/**
 * Counters of the limits for Prometheus: by service, route, limit and what became of the request.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import type { InFlightGate } from '../core/policy/in-flight.ts';
import { escapeLabel, type LabelledRoute, routeLabels } from './metric-labels.ts';

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
  /** By name of the route: a reload that moves the route to another path moves its series, gate and all. */
  readonly #inFlight = new Map<string, { readonly labels: string; readonly gate: InFlightGate }>();
  readonly #counts = new Map<string, LimitCounts>();

  counts(route: LabelledRoute, limit: string): LimitCounts {
    const labels = `${routeLabels(route)},limit="${escapeLabel(limit)}"`;
    const counts = this.#counts.get(labels) ?? { allowed: 0, refused: 0, withoutState: 0 };
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Shows how many requests of a route are under way. */
  watchInFlight(route: LabelledRoute, gate: InFlightGate): void {
    this.#inFlight.set(route.name, { labels: routeLabels(route), gate });
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
    if (this.#inFlight.size > 0) {
      lines.push(
        '# HELP sluice_route_in_flight Requests under way, of routes with a concurrency cap.',
        '# TYPE sluice_route_in_flight gauge',
      );
    }
    for (const { labels, gate } of this.#inFlight.values())
      lines.push(`sluice_route_in_flight{${labels}} ${gate.count}`);
    return `${lines.join('\n')}\n`;
  }
}
