/**
 * The weight channel over Redis: the stored document is the truth, the published message the speed.
 * Owns writing, renewing and acknowledgements; watching is `split-watcher.ts`.
 * @module
 */

import type { Acknowledgement, SplitDocument } from '../../core/domain/split-document.ts';
import type { WeightChannel, WriteResult } from '../../ports/weight-channel.ts';
import type { RedisConnection } from './connection.ts';
import { serviceKeys } from './keys.ts';
import { readStored, watchSplits } from './split-watcher.ts';

/** A gateway not heard of for this long, by Redis's clock, is no longer listed. */
const ACKNOWLEDGEMENT_TTL_MS = 60_000;

/** `closing` ends every watch when the backend closes. */
export function createRedisWeightChannel(connection: RedisConnection, closing: AbortSignal): WeightChannel {
  return {
    async read(service) {
      return (await readStored(connection, service))?.split ?? null;
    },

    async write(split) {
      const { split: key, changes } = serviceKeys(split.service);
      const args = [split.epoch, split.revision, JSON.stringify(split), changes];
      return writeResult(await connection.run('write-split', [key], args));
    },

    async renew(service, revision, epoch) {
      const { split: key, changes } = serviceKeys(service);
      return writeResult(await connection.run('renew-split', [key], [epoch, revision, changes]));
    },

    watch: (services, listener, signal) =>
      watchSplits(connection, [...new Set(services)], listener, AbortSignal.any([signal, closing])),

    async acknowledge(acknowledgement) {
      const { acknowledgements } = serviceKeys(acknowledgement.service);
      const args = [acknowledgement.gateway, JSON.stringify(acknowledgement), ACKNOWLEDGEMENT_TTL_MS];
      await connection.run('acknowledge', [acknowledgements], args);
    },

    async acknowledgements(service) {
      const key = serviceKeys(service).acknowledgements;
      // The reply of `live-acknowledgements.lua`: age, acknowledgement, age, acknowledgement …
      const reply = (await connection.run('live-acknowledgements', [key], [ACKNOWLEDGEMENT_TTL_MS])) as (
        | number
        | string
      )[];
      const live = [];
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const acknowledgement = JSON.parse(String(reply[i + 1])) as Acknowledgement;
        live.push({ ...acknowledgement, ageMs: Math.max(0, Number(reply[i])) });
      }
      return live.sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
    },
  };
}

function writeResult(reply: unknown): WriteResult {
  // The reply of `write-split.lua` and `renew-split.lua`.
  const [outcome, document] = reply as ['ok' | 'stale-epoch' | 'revision-conflict', string | undefined];
  if (outcome === 'ok') return { ok: true };
  const current = document ? (JSON.parse(document) as SplitDocument) : null;
  return { ok: false, cause: outcome, current };
}
