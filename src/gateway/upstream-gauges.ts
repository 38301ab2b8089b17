/**
 * What `/metrics` says of upstreams beside attempts: read from the snapshot in force at each scrape, so that
 * requests pay nothing for it. Knows the names of these series only.
 * @module
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { BreakerState } from '../core/policy/breaker.ts';
import type { BreakerTable } from './breakers.ts';

const STATE_VALUE: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 };

/** Series of circuit breakers, labelled by service, route and version. */
export function registerBreakers(registry: Registry, table: () => BreakerTable): void {
  const labelNames = ['service', 'route', 'version'];
  const registers = [registry];
  new Gauge({
    name: 'sluice_breaker_state',
    help: 'State of a circuit breaker: 0 closed, 1 half-open, 2 open.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { breaker, ...labels } of table().values()) this.set(labels, STATE_VALUE[breaker.state]);
    },
  });
  new Counter({
    name: 'sluice_breaker_trips_total',
    help: 'Times that a circuit breaker opened.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { breaker, ...labels } of table().values()) this.inc(labels, breaker.trips);
    },
  });
  new Counter({
    name: 'sluice_breaker_refused_total',
    help: 'Attempts that a circuit breaker refused.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { breaker, ...labels } of table().values()) this.inc(labels, breaker.refusals);
    },
  });
}
