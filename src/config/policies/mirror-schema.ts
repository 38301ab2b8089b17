/**
 * The shape of the `mirror` policy in YAML. No defaults here, so that a route can set one field and keep the
 * others of its policy; they are in `mirror.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, headerName, name, percentBp } from '../primitives.ts';

const share = percentBp.refine((bp) => bp > 0, { error: 'expected more than 0%' });

const mirror = z.strictObject({
  version: name
    .optional()
    .meta({ description: 'Version that is asked too. Default: the default one of service.' }),
  service: name.optional().meta({
    description:
      'Service that is asked too, with all credentials of the request. Default: that of the route.',
  }),
  share: share.optional().meta({ description: 'Share of the requests. Default 10%.' }),
  by: z.enum(['key', 'random']).optional().meta({
    description:
      'By the sticky key, so that it is always the same callers, or each request by chance. Default key.',
  }),
  noise: percentBp.optional().meta({
    description:
      'Share of these that is sent to the version that answered instead, to learn how it differs from itself. Default 20%.',
  }),
  methods: z
    .array(z.enum(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']))
    .min(1)
    .optional()
    .meta({
      description:
        'Others are carried out twice, once by each version: only where that does no harm. Default GET, HEAD.',
    }),
  maxBytes: z.int().min(0).max(1_048_576).optional().meta({
    description:
      'Larger requests are not mirrored, larger answers not compared beyond their head. Default 64 KiB.',
  }),
  timeout: duration(1, 60_000).optional().meta({ description: 'For the whole second answer. Default 5s.' }),
  max: z.int().min(1).max(1_000).optional().meta({
    description: 'Second requests at a time in one gateway; more are left out and counted. Default 20.',
  }),
  headers: z.array(headerName).max(32).optional().meta({
    description: 'Response fields that are compared. Default: content-type, location, cache-control.',
  }),
  ignore: z
    .array(
      z.string().regex(/^(?:\/[^\s]*)+$/, { error: 'expected a JSON pointer such as /items/*/updatedAt' }),
    )
    .max(64)
    .optional()
    .meta({ description: 'JSON pointers that are not compared; * is any element of a list. Default: none.' }),
});

export const mirrorField = z
  .union([mirror, z.literal(false)])
  .optional()
  .meta({
    description:
      'Sends a share of the requests to another version too, compares the answers, and throws the second one away.',
  });

export type MirrorYaml = z.output<typeof mirrorField>;
