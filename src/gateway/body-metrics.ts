/**
 * Counters of the bodies that the `json` and `xml` policies are about, for Prometheus: by service, route, direction and
 * what became of them. Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { type LabelledRoute, routeLabels } from './metric-labels.ts';

export type BodyDirection = 'request' | 'response';

/** What a body became. `mapped`: its form is the same; `unpacked`: only a coding was taken off. */
export type BodyChange = 'mapped' | 'translated' | 'unpacked';

/** `passed`: as it came, though it could not be read. The last three were refused, or cut off where a part was out. */
const BODY_OUTCOMES = [
  'mapped',
  'translated',
  'unpacked',
  'passed',
  'malformed',
  'too_large',
  'unsupported',
] as const satisfies readonly (BodyChange | string)[];

export type BodyOutcome = (typeof BODY_OUTCOMES)[number];
export type BodyCounts = Record<BodyOutcome, number>;

export class BodyMetrics {
  readonly #counts = new Map<string, BodyCounts>();

  counts(route: LabelledRoute, direction: BodyDirection): BodyCounts {
    const labels = `${routeLabels(route)},direction="${direction}"`;
    const none = {
      mapped: 0,
      translated: 0,
      unpacked: 0,
      passed: 0,
      malformed: 0,
      too_large: 0,
      unsupported: 0,
    };
    const counts = this.#counts.get(labels) ?? none;
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty where no route has such a policy. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const samples = [...this.#counts].flatMap(([labels, counts]) =>
      BODY_OUTCOMES.map(
        (outcome) => `sluice_bodies_total{${labels},outcome="${outcome}"} ${counts[outcome]}`,
      ),
    );
    return `${[
      '# HELP sluice_bodies_total Bodies that rules of their route are about, by what became of them.',
      '# TYPE sluice_bodies_total counter',
      ...samples,
    ].join('\n')}\n`;
  }
}
