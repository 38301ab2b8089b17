/**
 * The shape of concurrency caps as written in YAML.
 * Merging and defaults are in `concurrency.ts`.
 * @module
 */

import * as z from 'zod';
import { limitKey } from './limits-schema.ts';

const MAX_CAP = 100_000;

const concurrency = z.strictObject({
  max: z.int().min(1).max(MAX_CAP).optional().meta({
    description: 'Requests of the route that may be under way in one gateway. Default: any number.',
  }),
  perKey: z
    .strictObject({ max: z.int().min(1).max(MAX_CAP), key: limitKey })
    .optional()
    .meta({ description: 'Requests of one caller that may be under way in one gateway.' }),
});

export const concurrencyField = z
  .union([concurrency, z.literal(false)])
  .optional()
  .meta({ description: 'More requests at a time get 503; false for no cap.' });

export type ConcurrencyYaml = z.output<typeof concurrency>;
