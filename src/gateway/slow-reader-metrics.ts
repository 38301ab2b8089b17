/**
 * How many responses ended because their client was too slow to take them, for Prometheus. Knows labels and numbers
 * only; the counts outlive reloads, so that they never fall.
 * @module
 */

import { type LabelledRoute, routeLabels } from './metric-labels.ts';

export class SlowReaderMetrics {
  readonly #counts = new Map<string, number>();

  /** Null: no route matched. */
  count(route: LabelledRoute | null): void {
    const labels = routeLabels(route);
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1);
  }

  /** Prometheus text format 0.0.4; empty until there was one. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const name = 'sluice_slow_readers_total';
    const samples = [...this.#counts].map(([labels, count]) => `${name}{${labels}} ${count}`);
    return `${[
      `# HELP ${name} Responses that were cut off because their client took them too slowly.`,
      `# TYPE ${name} counter`,
      ...samples,
    ].join('\n')}\n`;
  }
}
