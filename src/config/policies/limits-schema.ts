/**
 * The shape of rate limits and quotas as written in YAML.
 * Owns texts and bounds; merging and relations are in `limits.ts`.
 * @module
 */

import * as z from 'zod';
import { headerName, name, trustClient } from '../primitives.ts';

const UNIT_MS = { s: 1000, min: 60_000, h: 3_600_000 } as const;
/** Intervals are whole microseconds: up to this rate they are off by at most one in a hundred. */
const MAX_PER_SECOND = 10_000;
const MAX_BURST = 1_000_000;

export const limitKey = z
  .array(
    z.union(
      [
        z
          .strictObject({ claim: z.string().min(1).max(64) })
          .meta({ description: 'Claim of the validated JWT, such as tenant_id.' }),
        z
          .strictObject({ header: headerName, trustClient })
          .meta({ description: 'Request header. The client chooses it: prefer a claim.' }),
        z.literal('ip').meta({
          description: 'Client address, behind trusted proxies the forwarded one; of IPv6 the /64.',
        }),
        z.literal('route').meta({ description: 'Counts each route apart.' }),
      ],
      { error: 'expected one of { claim: tenant_id }, { header: x-plan }, ip, route' },
    ),
  )
  .min(1)
  .max(4)
  .optional()
  .meta({
    description:
      'Whose requests are counted together: all parts taken together. A part that a request lacks is ' +
      'replaced by the client address. Default: [ip].',
  });

export const whenDown = z
  .enum(['local', 'allow', 'deny'])
  .optional()
  .meta({
    description:
      'While the shared state is out of reach: count in each gateway alone (local), let pass (allow) or ' +
      'refuse with 503 (deny). Default local.',
  });

const rate = z
  .string({ error: 'expected a rate such as 60/min' })
  .meta({
    description: 'Requests per second, minute or hour, such as 10/s, 60/min, 500/h; at most 10000/s.',
    examples: ['60/min'],
    pattern: '^\\s*\\d+\\s*/\\s*(s|min|h)\\s*$',
  })
  .transform((text, context) => {
    const [, digits = '', unit = ''] = /^\s*(\d{1,9})\s*\/\s*(s|min|h)\s*$/.exec(text) ?? [];
    const count = Number(digits);
    if (digits === '' || count === 0) {
      context.addIssue({
        code: 'custom',
        message: `expected a rate such as 10/s, 60/min or 500/h, got "${text}"`,
      });
      return z.NEVER;
    }
    const periodMs = UNIT_MS[unit as keyof typeof UNIT_MS]; // The pattern names the keys.
    if (count > (MAX_PER_SECOND * periodMs) / 1000) {
      context.addIssue({ code: 'custom', message: `expected at most ${MAX_PER_SECOND}/s, got ${text}` });
      return z.NEVER;
    }
    return { count, periodMs };
  });

const rateLimit = z.strictObject({
  name: name.meta({ description: 'Stands in RateLimit fields, logs and metrics.' }),
  rate,
  burst: z.int().min(1).max(MAX_BURST).optional().meta({
    description: 'Requests that may come at once after a pause. Default: the count of the rate.',
  }),
  key: limitKey,
  whenDown,
});

const quota = z.strictObject({
  name: name.optional().meta({ description: 'Default: the period.' }),
  limit: z.int().min(1).max(1_000_000_000_000).meta({ description: 'Requests per period.' }),
  per: z.enum(['hour', 'day', 'month']).meta({ description: 'A calendar period of UTC.' }),
  key: limitKey,
  whenDown,
});

/** The keys of a policy or route that this file defines. */
export const limitFields = {
  rateLimits: z
    .union([z.array(rateLimit).min(1).max(8), z.literal(false)])
    .optional()
    .meta({
      description:
        'Requests beyond a rate get 429. Limits of one name replace those of an extended policy; false for none.',
    }),
  quotas: z
    .union([z.array(quota).min(1).max(8), z.literal(false)])
    .optional()
    .meta({
      description:
        'Requests beyond a quota get 429. Quotas of one name replace those of an extended policy; false for none.',
    }),
};

export type RateLimitYaml = z.output<typeof rateLimit>;
export type QuotaYaml = z.output<typeof quota>;
export type LimitKeyPart = NonNullable<z.output<typeof limitKey>>[number];
export type WhenDown = NonNullable<z.output<typeof whenDown>>;
