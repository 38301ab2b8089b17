/**
 * The shape of the idempotency policy as written in YAML.
 * Merging and defaults are in `idempotency.ts`.
 * @module
 */

import * as z from 'zod';
import { duration } from '../primitives.ts';

const SECOND = 1000;
const WEEK = 7 * 24 * 3600 * SECOND;

const idempotency = z.strictObject({
  required: z.boolean().optional().meta({
    description: 'Refuse POST and PATCH without an Idempotency-Key with 400. Default false.',
  }),
  ttl: duration(SECOND, WEEK).optional().meta({
    description: 'How long an answer is kept for a repeated request. Default 24h.',
  }),
  maxBytes: z.int().min(0).max(4_194_304).optional().meta({
    description: 'Largest request body, and largest response body that is kept. Default 256 KiB.',
  }),
  whenDown: z
    .enum(['allow', 'deny'])
    .optional()
    .meta({
      description:
        'While the shared state is out of reach: refuse requests with a key with 503 (deny) or make them ' +
        'without protection (allow). Default deny.',
    }),
});

export const idempotencyField = z
  .union([idempotency, z.literal(false)])
  .optional()
  .meta({
    description: 'POST and PATCH with an Idempotency-Key are made once, and answered alike ever after.',
  });

export type IdempotencyYaml = z.output<typeof idempotency>;
