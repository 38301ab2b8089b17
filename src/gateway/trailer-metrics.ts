/**
 * Counters of fields that came after a body, for Prometheus: by service, route, direction and what became of them.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { type LabelledRoute, routeLabels } from './metric-labels.ts';

/**
 * What became of a field after a body. `passed`: handed on. The others were dropped:
 * - `forbidden`: it may only come before the body (RFC 9110 §6.5.1);
 * - `not_listed`: the service does not name it;
 * - `undeclared`: the client did not name it in `Trailer`;
 * - `malformed`: its value cannot be sent;
 * - `too_many`: there were more than 100 of them;
 * - `no_place`: the body has a known length or none, or it is of HTTP/1.0 or a call;
 * - `changed_body`: the body was reshaped, or may have been;
 * - `other_service`: a fallback got the request;
 * - `no_connection`: all connections for requests with trailers were busy;
 * - `unsent`: the upstream was not asked, or answered before it had all of the body.
 */
export const TRAILER_OUTCOMES = [
  'passed',
  'forbidden',
  'not_listed',
  'undeclared',
  'malformed',
  'too_many',
  'no_place',
  'changed_body',
  'other_service',
  'no_connection',
  'unsent',
] as const;

export type TrailerOutcome = (typeof TRAILER_OUTCOMES)[number];
export type TrailerDirection = 'request' | 'response';
/** How many fields of one message had which outcome. */
export type TrailerCounts = ReadonlyMap<TrailerOutcome, number>;

export class TrailerMetrics {
  readonly #counts = new Map<string, number>();

  count(route: LabelledRoute, direction: TrailerDirection, counts: TrailerCounts): void {
    for (const [outcome, count] of counts) {
      const labels = `${routeLabels(route)},direction="${direction}",outcome="${outcome}"`;
      this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + count);
    }
  }

  /** Prometheus text format 0.0.4; empty until there was one. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const name = 'sluice_trailers_total';
    const samples = [...this.#counts].map(([labels, count]) => `${name}{${labels}} ${count}`);
    return `${[
      `# HELP ${name} Fields that came after a body, by what became of them.`,
      `# TYPE ${name} counter`,
      ...samples,
    ].join('\n')}\n`;
  }
}
