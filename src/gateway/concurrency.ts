/**
 * The concurrency caps of routes, compiled, and the counters behind them, which outlive reloads: requests that began
 * before one still count. Knows no responses; `record` tells when a request is over.
 * @module
 */

import type { ConcurrencyPolicy } from '../config/policies/concurrency.ts';
import { type InFlightCaps, InFlightGate } from '../core/policy/in-flight.ts';
import { compileLimitKey, type SubjectRead } from './limit-key.ts';
import type { LimitCounts, LimitMetrics } from './limit-metrics.ts';
import type { LabelledRoute } from './metric-labels.ts';

/** Colons cannot stand in the names that users give to limits. */
export const ROUTE_CAP = 'concurrency:route';
export const KEY_CAP = 'concurrency:key';

export interface CompiledConcurrency {
  readonly gate: InFlightGate;
  readonly caps: InFlightCaps;
  /** Null: nothing is counted by key. */
  readonly subject: SubjectRead | null;
  readonly routeCounts: LimitCounts;
  readonly keyCounts: LimitCounts;
}

export class ConcurrencyTable {
  readonly #gates = new Map<string, InFlightGate>();
  readonly #metrics: LimitMetrics;

  constructor(metrics: LimitMetrics) {
    this.#metrics = metrics;
  }

  /** Null when the route has no cap, so that it costs nothing. */
  compile(policy: ConcurrencyPolicy | null, route: LabelledRoute): CompiledConcurrency | null {
    if (policy === null) return null;
    const gate = this.#gates.get(route.name) ?? new InFlightGate();
    this.#gates.set(route.name, gate);
    this.#metrics.watchInFlight(route, gate);
    return {
      gate,
      caps: { max: policy.max, perKeyMax: policy.perKey?.max ?? null },
      subject: policy.perKey === null ? null : compileLimitKey(policy.perKey.key, route.name),
      routeCounts: this.#metrics.counts(route, ROUTE_CAP),
      keyCounts: this.#metrics.counts(route, KEY_CAP),
    };
  }
}
