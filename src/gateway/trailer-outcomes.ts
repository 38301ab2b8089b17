/**
 * Tells what became of the fields after a body: to the counters, the access log and traces. Never their names or values:
 * those are the sender's. Decides nothing.
 * @module
 */

import type { Exchange } from './exchange.ts';
import { TRAILER_OUTCOMES, type TrailerDirection, type TrailerOutcome } from './trailer-metrics.ts';

/** Once for each direction at most; `outcomes`: one for each field, none where there was no field. */
export function noteTrailers(
  exchange: Exchange,
  direction: TrailerDirection,
  outcomes: readonly TrailerOutcome[],
): void {
  const { route, runtime } = exchange;
  if (route === null || outcomes.length === 0) return;
  const counts = new Map<TrailerOutcome, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  runtime.metrics.trailers.count(route, direction, counts);
  const told = TRAILER_OUTCOMES.filter((outcome) => counts.has(outcome));
  exchange.note(
    `${direction}_trailers`,
    told.map((outcome) => `${outcome}:${counts.get(outcome)}`).join(' '),
  );
}
