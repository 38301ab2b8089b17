/**
 * The telemetry stream over Redis: one capped stream per service.
 * Owns the cursor's text; counting and trimming happen in the scripts, so that they are one step.
 * @module
 */

import type { TelemetrySummary } from '../../core/domain/telemetry.ts';
import type { TelemetryStream } from '../../ports/telemetry-stream.ts';
import type { RedisConnection } from './connection.ts';
import { serviceKeys } from './keys.ts';

/** Eight gateways, one summary a second each, for 15 minutes. */
const CAP = 8 * 15 * 60;
/** A service that nobody reports on is forgotten. */
const IDLE_TTL_MS = 3_600_000;

/**
 * `cap` is the number of summaries kept per service; Redis keeps up to about a hundred more, since it trims
 * whole blocks. A cursor is `<entry id>/<generation>/<number>`.
 */
export function createRedisTelemetryStream(
  connection: RedisConnection,
  options: { readonly cap?: number } = {},
): TelemetryStream {
  const cap = options.cap ?? CAP;
  return {
    async emit(summary) {
      const { telemetry, telemetryCount } = serviceKeys(summary.service);
      const args = [JSON.stringify(summary), cap, IDLE_TTL_MS];
      await connection.run('emit-summary', [telemetry, telemetryCount], args);
    },

    async read(service, cursor, limit) {
      const { telemetry, telemetryCount } = serviceKeys(service);
      const [id = '', generation = '', number = '0'] = (cursor ?? '').split('/');
      const position = Number.isSafeInteger(Number(number)) ? number : '-1';
      const args = [id, generation, position, Math.max(0, limit)];
      // The reply of `read-summaries.lua`.
      const reply = (await connection.run('read-summaries', [telemetry, telemetryCount], args)) as [
        number,
        string,
        string,
        number,
        string[],
      ];
      const summaries = reply[4].map((summary) => JSON.parse(summary) as TelemetrySummary);
      return { summaries, cursor: `${reply[1]}/${reply[2]}/${reply[3]}`, lost: reply[0] === 1 };
    },
  };
}
