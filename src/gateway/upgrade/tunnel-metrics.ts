/**
 * Counters of tunnels for Prometheus: how many are open, and how they ended, by service and route.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { type LabelledRoute, routeLabels } from '../metric-labels.ts';

/** Who or what ended a tunnel. `reset`: the upstream broke off. */
export const TUNNEL_ENDS = ['client', 'upstream', 'idle', 'reset', 'drain'] as const;
export type TunnelEnd = (typeof TUNNEL_ENDS)[number];

export type TunnelCounts = Record<TunnelEnd | 'open', number>;

export class TunnelMetrics {
  readonly #counts = new Map<string, TunnelCounts>();

  counts(route: LabelledRoute): TunnelCounts {
    const labels = routeLabels(route);
    const counts = this.#counts.get(labels) ?? {
      open: 0,
      client: 0,
      upstream: 0,
      idle: 0,
      reset: 0,
      drain: 0,
    };
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty where no route has the policy. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const routes = [...this.#counts];
    const lines = [
      '# HELP sluice_tunnels_open Connections that have changed their protocol.',
      '# TYPE sluice_tunnels_open gauge',
      ...routes.map(([labels, { open }]) => `sluice_tunnels_open{${labels}} ${open}`),
      '# HELP sluice_tunnels_total Such connections that have ended, by who or what ended them.',
      '# TYPE sluice_tunnels_total counter',
      ...routes.flatMap(([labels, counts]) =>
        TUNNEL_ENDS.map((end) => `sluice_tunnels_total{${labels},end="${end}"} ${counts[end]}`),
      ),
    ];
    return `${lines.join('\n')}\n`;
  }
}
