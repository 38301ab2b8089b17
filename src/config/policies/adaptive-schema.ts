/**
 * The shape of the `adaptive` policy in YAML. No defaults here, so that a route can set one field and keep the
 * others of its policy; they are in `adaptive.ts`.
 * @module
 */

import * as z from 'zod';
import { PRIORITIES } from '../../core/policy/waiting-room.ts';
import { duration, headerName } from '../primitives.ts';

const MAX_LIMIT = 100_000;
const priority = z.enum(PRIORITIES);

const values = z.array(z.string().min(1).max(128)).min(1).max(64).optional();

const fromRequest = {
  high: values.meta({ description: 'Values that mean high priority.' }),
  normal: values.meta({ description: 'Values that mean normal priority.' }),
  low: values.meta({ description: 'Values that mean low priority.' }),
  otherwise: priority.optional().meta({ description: 'Any other value, or none. Default normal.' }),
};

const adaptive = z.strictObject({
  min: z.int().min(1).max(MAX_LIMIT).optional().meta({
    description: 'The limit never falls below: about what one gateway should always get. Default 20.',
  }),
  max: z
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .optional()
    .meta({ description: 'The limit never rises above. Default 200.' }),
  initial: z
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .optional()
    .meta({ description: 'Where the limit begins. Default: min.' }),
  queue: z
    .strictObject({
      size: z.int().min(0).max(10_000).optional().meta({
        description: 'Requests that may wait in one gateway. Default 50. With 0 priorities mean nothing.',
      }),
      wait: duration(1, 10_000).optional().meta({ description: 'Longest wait, then 503. Default 100ms.' }),
    })
    .optional()
    .meta({ description: 'Requests beyond the limit wait a little, important ones first.' }),
  priority: z
    .union(
      [
        priority,
        z
          .strictObject({ claim: z.string().min(1).max(64), ...fromRequest })
          .meta({ description: 'By a claim of the validated token.' }),
        z
          .strictObject({
            header: headerName,
            trustClient: z.literal(true).meta({
              description: 'The header is believed: only behind a proxy that sets it, or among friends.',
            }),
            ...fromRequest,
          })
          .meta({ description: 'By a request header that is trusted.' }),
      ],
      {
        error:
          'expected high, normal, low, { claim: plan, low: [free] } or { header: x-priority, trustClient: true, low: [batch] }',
      },
    )
    .optional()
    .meta({ description: 'Who goes first, and who is refused first. Default normal.' }),
});

export const adaptiveField = z
  .union([adaptive, z.literal(false)])
  .optional()
  .meta({
    description:
      'Holds each version to as many requests at once as it answers without a queue of its own; beyond that 503, low priority first.',
  });

export type AdaptiveYaml = z.output<typeof adaptiveField>;
