/**
 * The telemetry stream inside one process: the newest summaries of each service in memory.
 * Knows neither who reads nor what a summary says.
 * @module
 */

import { randomUUID } from 'node:crypto';
import type { TelemetrySummary } from '../../core/domain/telemetry.ts';
import type { TelemetryStream } from '../../ports/telemetry-stream.ts';

/** Eight gateways, one summary a second each, for 15 minutes. */
const CAP = 8 * 15 * 60;

interface Ring {
  /** Number of summaries ever emitted; the newest is number `emitted`. */
  emitted: number;
  /** Summary number n is at index (n − 1) % cap. */
  readonly slots: TelemetrySummary[];
}

/**
 * `cap` is the number of summaries kept per service. A cursor is `<incarnation>:<number>`: those of an
 * earlier process are recognised, since what they pointed at is gone.
 */
export function createEmbeddedTelemetryStream(options: { readonly cap?: number } = {}): TelemetryStream {
  const cap = options.cap ?? CAP;
  const incarnation = randomUUID();
  const rings = new Map<string, Ring>();

  return {
    emit(summary) {
      const ring = rings.get(summary.service) ?? { emitted: 0, slots: [] };
      rings.set(summary.service, ring);
      ring.slots[ring.emitted % cap] = summary;
      ring.emitted += 1;
      return Promise.resolve();
    },

    read(service, cursor, limit) {
      const { emitted, slots } = rings.get(service) ?? { emitted: 0, slots: [] };
      const oldest = Math.max(0, emitted - cap);
      const known = cursor === null ? oldest : positionOf(cursor, incarnation, emitted);
      const lost = known === undefined || known < oldest;
      const from = lost ? oldest : known;
      const to = Math.min(emitted, from + Math.max(0, limit));
      const summaries: TelemetrySummary[] = [];
      for (let number = from; number < to; number += 1) {
        const summary = slots[number % cap];
        if (summary) summaries.push(summary);
      }
      return Promise.resolve({ summaries, cursor: `${incarnation}:${to}`, lost });
    },
  };
}

/** Number of the last summary read, or `undefined` for a cursor that is not of this process. */
function positionOf(cursor: string, incarnation: string, emitted: number): number | undefined {
  const [of, position] = cursor.split(':');
  const number = Number(position);
  return of === incarnation && Number.isSafeInteger(number) && number >= 0 && number <= emitted
    ? number
    : undefined;
}
