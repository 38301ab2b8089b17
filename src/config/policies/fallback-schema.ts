/**
 * The shapes of the `fallback` and `hedge` policies in YAML. No defaults here; they are in `fallback.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, name } from '../primitives.ts';

const MAX_BODY = 65_536;
const fieldValue = z.string().regex(/^[\x20-\x7e]*$/, { error: 'expected printable ASCII' });

const CAUSES = ['breaker', 'connect', 'reset', 'timeout', '500', '502', '503', '504'] as const;
const cause = z.enum(CAUSES);
/** The gateway's own spelling is kept, so that findings point at it. */
const fieldName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'expected the name of a header' });

const response = z.strictObject({
  status: z.int().min(200).max(599).optional().meta({ description: 'Default 200.' }),
  contentType: fieldValue.optional().meta({ description: 'Default application/json.' }),
  body: z.string().max(MAX_BODY).optional().meta({ description: 'Up to 64 KiB. Default: empty.' }),
  headers: z.record(fieldName, fieldValue).optional().meta({ description: 'Further response headers.' }),
});

const fallback = z.strictObject({
  on: z
    .array(
      z
        .union([cause, z.literal(500), z.literal(502), z.literal(503), z.literal(504)], {
          error: `expected one of ${CAUSES.join(', ')}`,
        })
        .transform((value) => String(value) as z.output<typeof cause>),
    )
    .min(1)
    .optional()
    .meta({
      description:
        'What it stands in for once no retry is left: outcomes of the last attempt, and an open breaker. Default: all but 500.',
    }),
  response: response.optional().meta({ description: 'A fixed answer.' }),
  service: name.optional().meta({
    description: 'Another service, asked once for the same path with the same body, at its default version.',
  }),
});

export const fallbackField = z
  .union([fallback, z.literal(false)])
  .optional()
  .meta({
    description: 'What clients get when the service fails. A stale response of the cache comes first.',
  });

const hedge = z.strictObject({
  after: duration(1, 60_000).optional().meta({
    description: 'A second attempt at another endpoint when the first has no answer yet. Default 100ms.',
  }),
});

export const hedgeField = z
  .union([hedge, z.literal(false)])
  .optional()
  .meta({
    description:
      'Idempotent requests are tried twice when the first try is slow; the first good answer wins.',
  });

export type FallbackYaml = z.output<typeof fallbackField>;
export type HedgeYaml = z.output<typeof hedgeField>;
export type FallbackCause = z.output<typeof cause>;
