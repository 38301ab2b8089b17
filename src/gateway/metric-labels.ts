/**
 * Labels of the gateway's own series as Prometheus' text format (0.0.4) wants them. Knows no series.
 * @module
 */

import { LABEL } from '../core/domain/metric-names.ts';

export function escapeLabel(value: string): string {
  return value.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

/** What a route's series are called after. */
export interface LabelledRoute {
  readonly service: { readonly name: string };
  /** Unique in a configuration. */
  readonly name: string;
  /** Template or prefix of its paths. Routes told apart by method or fields share one. */
  readonly pattern: string;
}

/** Different for any two routes of a configuration, the same for one that a reload kept. Null: no route matched. */
export function routeLabels(route: LabelledRoute | null): string {
  const service = escapeLabel(route?.service.name ?? '');
  const name = escapeLabel(route?.name ?? '');
  const pattern = escapeLabel(route?.pattern ?? '');
  return `${LABEL.service}="${service}",${LABEL.route}="${name}",${LABEL.pattern}="${pattern}"`;
}
