/**
 * The control API's route for purging the cache: what it takes, what it answers, and its line in the log.
 * Knows neither gateways nor what a purge matches.
 * @module
 */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { name } from '../config/primitives.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { flawOfPurge, PURGE_KINDS, type Purge } from '../core/policy/cache/purge.ts';
import type { PurgeChannel, PurgeReceipt } from '../ports/purge-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Principal, Role } from './access.ts';
import { parse } from './action-body.ts';

export interface PurgeContext {
  readonly purges: PurgeChannel;
  readonly access: (request: FastifyRequest, needed: Role) => Principal;
  readonly logger: Logger;
}

/** What the route answers. */
export type PurgeAnswer = Purge & PurgeReceipt;

const BODY_BYTES = 64 * 1024;

const body = z.strictObject({
  url: z.string().optional(),
  path: z.string().optional(),
  prefix: z.string().optional(),
  tag: z.string().optional(),
  service: name.nullable().default(null),
});

export function registerPurge(app: FastifyInstance, { purges, access, logger }: PurgeContext): void {
  const options = {
    bodyLimit: BODY_BYTES,
    onRequest: async (request: FastifyRequest) => void access(request, 'operator'),
  };
  app.post('/api/v1/cache/purge', options, async (request): Promise<PurgeAnswer> => {
    const { actor } = access(request, 'operator');
    const purge = purgeOf(request.body);
    const receipt = await purges.publish(purge);
    const answer = { ...purge, ...receipt };
    // No record keeps who purged what, so this line is written at the log's default level too.
    logger.warn({ ...answer, actor: actor.name, request_id: request.id }, 'cache purged');
    return answer;
  });
}

function purgeOf(given: unknown): Purge {
  const { service, ...ways } = parse(body, given ?? {});
  const named = PURGE_KINDS.flatMap((by) => {
    const value = ways[by];
    return value === undefined ? [] : [{ by, value, service }];
  });
  const [purge, second] = named;
  if (purge === undefined || second !== undefined) {
    throw new SluiceError('BAD_REQUEST', {
      detail: `name exactly one of ${PURGE_KINDS.join(', ')}, got ${named.map(({ by }) => by).join(', ') || 'none'}`,
    });
  }
  const flaw = flawOfPurge(purge);
  if (flaw === null) return purge;
  const issues = [{ path: purge.by, message: flaw }];
  throw new SluiceError('BAD_REQUEST', { detail: `${purge.by}: ${flaw}`, data: { issues } });
}
