/**
 * The shape of the `breaker` policy in YAML. No defaults here, so that a route can set one field and keep the
 * others of its policy; they are in `breaker.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, percentBp } from '../primitives.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

const share = percentBp.refine((bp) => bp > 0, { error: 'expected more than 0%' });

const breaker = z.strictObject({
  errorRate: share.optional().meta({
    description:
      'Share of failed attempts (5xx, refused, reset, timed out) that opens it. Default 20%, none with slow.',
  }),
  slow: z
    .strictObject({
      over: duration(1, HOUR).optional().meta({
        description: 'An attempt whose response head takes longer is slow. Default 1s.',
      }),
      share: share.optional().meta({ description: 'Share of slow attempts that opens it. Default 50%.' }),
    })
    .optional()
    .meta({ description: 'Opens for slowness too. Default: not at all.' }),
  per: z.enum(['version', 'endpoint']).optional().meta({
    description:
      'One breaker for all endpoints of a version, or one for each: then attempts go to the others. Default version.',
  }),
  window: duration(SECOND, HOUR)
    .optional()
    .meta({ description: 'How far back attempts count. Default 10s.' }),
  minimum: z.int().min(20).max(1_000_000).optional().meta({
    description: 'Attempts in the window below which it never opens. Default 20.',
  }),
  open: duration(100, HOUR)
    .optional()
    .meta({ description: 'Refuses everything for this long. Default 10s.' }),
  recover: duration(0, HOUR).optional().meta({
    description: 'Then lets a share through that rises from nothing to all over this time. Default 10s.',
  }),
});

export const breakerField = z
  .union([breaker, z.literal(false)])
  .optional()
  .meta({
    description:
      'Circuit breaker, one for each version of this route: refuses with 503 instead of trying a failing upstream.',
  });

export type BreakerYaml = z.output<typeof breakerField>;
