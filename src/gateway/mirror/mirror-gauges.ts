/**
 * What `/metrics` says of mirrors: read from the snapshot in force at each scrape. Fields of bodies are in the report
 * only, where their number is bounded and nobody keeps them for a year.
 * @module
 */

import type { Registry } from 'prom-client';
import { MIRROR_ARMS } from '../../core/analysis/mirror-report.ts';
import { sampledCounter, sampledGauge } from '../sampled-series.ts';
import type { Snapshot } from '../snapshot.ts';
import { MIRROR_OUTCOMES, type MirrorPlace, type MirrorState } from './mirror-table.ts';

const LABELS = ['service', 'route', 'candidate'] as const;

/** A rollout may mirror beside the route's own policy, to the same candidate: their values add up. */
export function registerMirrors(registry: Registry, snapshot: () => Snapshot | null): void {
  const mirrors = (): MirrorState[] => [...(snapshot()?.mirrors.values() ?? [])];
  const gauge = (name: string, help: string, read: (state: MirrorState) => number): void =>
    sampledGauge(registry, { name, help, labelNames: LABELS }, () =>
      mirrors().map((state) => ({ labels: labelsOf(state.place), value: read(state) })),
    );
  gauge(
    'sluice_mirror_in_flight',
    'Second requests that are sent and not compared yet.',
    ({ inFlight }) => inFlight,
  );
  gauge(
    'sluice_mirror_differing_places',
    'Places at which a candidate differs from the baseline more than that from itself.',
    ({ report }) => report.places().filter(({ verdict }) => verdict === 'differs').length,
  );
  sampledCounter(
    registry,
    {
      name: 'sluice_mirror_requests_total',
      help: 'Mirrored requests by who was asked a second time and by what came of it.',
      labelNames: [...LABELS, 'arm', 'outcome'],
    },
    () =>
      mirrors().flatMap(({ place, counts }) =>
        MIRROR_ARMS.flatMap((arm) =>
          MIRROR_OUTCOMES.map((outcome) => ({
            labels: { ...labelsOf(place), arm, outcome },
            value: counts[arm][outcome],
          })),
        ),
      ),
  );
}

function labelsOf({ service, route, candidate }: MirrorPlace): Record<(typeof LABELS)[number], string> {
  return { service, route, candidate };
}
