/**
 * What `/metrics` says of adaptive limits: read from the snapshot in force at each scrape.
 * Knows the names of these series only.
 * @module
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import { PRIORITIES } from '../core/policy/waiting-room.ts';
import { ADMISSIONS, type VersionLimiter } from './adaptive.ts';
import type { Snapshot } from './snapshot.ts';

const LABELS = ['service', 'version', 'route'] as const;

export function registerAdaptive(registry: Registry, snapshot: () => Snapshot | null): void {
  const limiters = (): VersionLimiter[] => [...(snapshot()?.limiters.values() ?? [])];
  const registers = [registry];
  const gauge = (name: string, help: string, read: (limiter: VersionLimiter) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: LABELS,
      registers,
      collect() {
        this.reset();
        for (const limiter of limiters()) this.set(placeOf(limiter), read(limiter));
      },
    });
  };
  gauge('sluice_adaptive_limit', 'Attempts that may be under way.', ({ limit }) => limit);
  gauge('sluice_adaptive_in_flight', 'Attempts without a response head.', ({ inFlight }) => inFlight);
  gauge('sluice_adaptive_queued', 'Requests that wait for their turn.', ({ queued }) => queued);
  gauge(
    'sluice_adaptive_baseline_seconds',
    'What an attempt is believed to take without a queue; 0 while unknown.',
    ({ baselineMs }) => baselineMs / 1000,
  );
  new Counter({
    name: 'sluice_adaptive_requests_total',
    help: 'Requests by priority and by what an adaptive limit did with them.',
    labelNames: [...LABELS, 'priority', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const limiter of limiters()) {
        for (const priority of PRIORITIES) {
          for (const outcome of ADMISSIONS) {
            this.inc({ ...placeOf(limiter), priority, outcome }, limiter.counts[priority][outcome]);
          }
        }
      }
    },
  });
}

function placeOf({ service, version, route }: VersionLimiter): Record<(typeof LABELS)[number], string> {
  return { service, version, route };
}
