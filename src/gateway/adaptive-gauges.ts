/**
 * What `/metrics` says of adaptive limits: read from the snapshot in force at each scrape.
 * Knows the names of these series only.
 * @module
 */

import type { Registry } from 'prom-client';
import { PRIORITIES } from '../core/policy/waiting-room.ts';
import { ADMISSIONS, type VersionLimiter } from './adaptive.ts';
import { sampledCounter, sampledGauge } from './sampled-series.ts';
import type { Snapshot } from './snapshot.ts';

const LABELS = ['service', 'version', 'route'] as const;

export function registerAdaptive(registry: Registry, snapshot: () => Snapshot | null): void {
  const limiters = (): VersionLimiter[] => [...(snapshot()?.limiters.values() ?? [])];
  const gauge = (name: string, help: string, read: (limiter: VersionLimiter) => number): void =>
    sampledGauge(registry, { name, help, labelNames: LABELS }, () =>
      limiters().map((limiter) => ({ labels: placeOf(limiter), value: read(limiter) })),
    );
  gauge('sluice_adaptive_limit', 'Attempts that may be under way.', ({ limit }) => limit);
  gauge('sluice_adaptive_in_flight', 'Attempts without a response head.', ({ inFlight }) => inFlight);
  gauge('sluice_adaptive_queued', 'Requests that wait for their turn.', ({ queued }) => queued);
  gauge(
    'sluice_adaptive_baseline_seconds',
    'What an attempt is believed to take without a queue; 0 while unknown.',
    ({ baselineMs }) => baselineMs / 1000,
  );
  sampledCounter(
    registry,
    {
      name: 'sluice_adaptive_requests_total',
      help: 'Requests by priority and by what an adaptive limit did with them.',
      labelNames: [...LABELS, 'priority', 'outcome'],
    },
    () =>
      limiters().flatMap((limiter) =>
        PRIORITIES.flatMap((priority) =>
          ADMISSIONS.map((outcome) => ({
            labels: { ...placeOf(limiter), priority, outcome },
            value: limiter.counts[priority][outcome],
          })),
        ),
      ),
  );
}

function placeOf({ service, version, route }: VersionLimiter): Record<(typeof LABELS)[number], string> {
  return { service, version, route };
}
