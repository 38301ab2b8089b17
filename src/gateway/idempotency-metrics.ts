/**
 * Counters of idempotency keys for Prometheus: by service, route and what became of the key.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { type LabelledRoute, routeLabels } from './metric-labels.ts';

export const KEY_OUTCOMES = [
  'claimed',
  'replayed',
  'in_flight',
  'other_request',
  'not_kept',
  'unavailable',
] as const;

export type KeyOutcome = (typeof KEY_OUTCOMES)[number];
export type KeyCounts = Record<KeyOutcome, number>;

export class IdempotencyMetrics {
  readonly #counts = new Map<string, KeyCounts>();

  counts(route: LabelledRoute): KeyCounts {
    const labels = routeLabels(route);
    const none = { claimed: 0, replayed: 0, in_flight: 0, other_request: 0, not_kept: 0, unavailable: 0 };
    const counts = this.#counts.get(labels) ?? none;
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty where no route has the policy. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const lines = [
      '# HELP sluice_idempotency_keys_total Requests with an idempotency key by what became of it.',
      '# TYPE sluice_idempotency_keys_total counter',
    ];
    for (const [labels, counts] of this.#counts) {
      for (const outcome of KEY_OUTCOMES) {
        lines.push(`sluice_idempotency_keys_total{${labels},outcome="${outcome}"} ${counts[outcome]}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}
