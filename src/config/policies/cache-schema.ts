/**
 * The shape of the `cache` policy in YAML, and of the gateway's budget for it. No defaults here, so that a route
 * can set one field and keep the others of its policy; they are in `cache.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, headerName } from '../primitives.ts';

const SECOND = 1000;
const DAY = 86_400_000;

const cache = z.strictObject({
  ttl: duration(SECOND, 30 * DAY)
    .optional()
    .meta({
      description:
        'Lifetime instead of the one that the response states. Never for what could be one caller’s own: Authorization, cookies, Set-Cookie, private, no-store. Default: the response decides.',
    }),
  staleWhileRevalidate: duration(0, 30 * DAY)
    .optional()
    .meta({
      description:
        'For this long after its lifetime a response still serves, while it is renewed in the background, unless it says otherwise. Default 0ms.',
    }),
  staleIfError: duration(0, 30 * DAY)
    .optional()
    .meta({
      description:
        'For this long after its lifetime a response stands in for a failing upstream, unless it says otherwise. Default 1m.',
    }),
  heuristic: z.boolean().optional().meta({
    description:
      'Keep a response that states no lifetime for a tenth of the time since Last-Modified, at most a day. Default true.',
  }),
  query: z
    .strictObject({
      sort: z.boolean().optional().meta({
        description: 'Parameters in another order are the same resource. Default true.',
      }),
      exclude: z
        .array(
          z
            .string()
            .regex(/^[^*&=#\s]+\*?$/, { error: 'expected a parameter name, or a prefix with * at its end' }),
        )
        .max(64)
        .optional()
        .meta({
          description:
            'Parameters that make no difference, such as utm_*; the upstream does not get them. Default: none.',
        }),
      forward: z.boolean().optional().meta({
        description:
          'The upstream gets excluded parameters all the same: whatever one changes in a response, everybody gets. Default false.',
      }),
    })
    .optional()
    .meta({
      description: 'How the query counts in the key. The upstream gets it as sent, without what is excluded.',
    }),
  headers: z.array(headerName).max(16).optional().meta({
    description: 'Request headers that tell responses apart beside Vary. Default: none.',
  }),
  maxBytes: z.int().min(1).max(268_435_456).optional().meta({
    description: 'Larger bodies are passed on and not stored. Default 1 MiB.',
  }),
  setCookie: z.enum(['refuse', 'strip', 'keep']).optional().meta({
    description:
      'Responses with Set-Cookie. refuse: not stored, unless they are public, or s-maxage or CDN-Cache-Control is for them. strip: stored without the field, which only the caller gets. keep: stored by their lifetime alone (RFC 9111, 7.3), and everybody gets the cookie. Default refuse.',
  }),
  tags: headerName.optional().meta({
    description:
      'Response field whose words, separated by spaces or commas, are tags to purge by, such as surrogate-key. Default: none.',
  }),
  clientDirectives: z.boolean().optional().meta({
    description: 'Obey Cache-Control of requests (no-cache, max-age …). Default true.',
  }),
});

export const cacheField = z
  .union([cache, z.literal(false)])
  .optional()
  .meta({ description: 'Shared HTTP cache (RFC 9111) for GET and HEAD; false for none. Default: none.' });

export const cacheBudget = z
  .strictObject({
    bytes: z.int().min(65_536).max(68_719_476_736).optional().meta({
      description:
        'Memory for stored responses of all routes; the least recently used leave. Default 64 MiB.',
    }),
    redis: z.boolean().optional().meta({
      description:
        'Share stored responses with other gateways as a second level, through Redis (SLUICE_REDIS). Default false.',
    }),
  })
  .optional()
  .meta({ description: 'The cache of this gateway; routes use it by their cache policy.' });

export type CacheYaml = z.output<typeof cacheField>;
