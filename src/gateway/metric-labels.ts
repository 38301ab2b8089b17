/**
 * Labels of the gateway's own series as Prometheus' text format (0.0.4) wants them. Knows no series.
 * @module
 */

import { LABEL } from '../core/domain/metric-names.ts';

export function escapeLabel(value: string): string {
  return value.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

/** The labels of a route: its service and its pattern. */
export function routeLabels(service: string, pattern: string): string {
  return `${LABEL.service}="${escapeLabel(service)}",${LABEL.route}="${escapeLabel(pattern)}"`;
}
