/**
 * The scalar vocabulary of the YAML files: durations, percentages, names, addresses, secrets.
 * Each message says what was expected; positions are added by `schema-check.ts`.
 * @module
 */

import * as z from 'zod';
import { formatDuration, parseDurationMs } from '../core/domain/duration.ts';
import { parsePercentBp } from '../core/domain/weight.ts';

/** `250ms`, `10s`, `1h30m` → milliseconds within [minMs, maxMs]. */
export function duration(minMs: number, maxMs: number) {
  return z
    .string({ error: 'expected a duration such as 250ms, 10s, 5m or 1h' })
    .meta({
      description: `A duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 250ms, 10s, 5m.`,
      examples: ['10s'],
      pattern: '^\\s*(0|(\\d+(\\.\\d+)?(ms|s|m|h|d))+)\\s*$',
    })
    .transform((text, context) => {
      const ms = parseDurationMs(text);
      if (ms === undefined) {
        context.addIssue({
          code: 'custom',
          message: `expected a duration such as 250ms, 10s, 5m or 1h, got "${text}"`,
        });
        return z.NEVER;
      }
      if (ms < minMs || ms > maxMs) {
        context.addIssue({
          code: 'custom',
          message: `expected a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, got ${text}`,
        });
        return z.NEVER;
      }
      return ms;
    });
}

/** `1%`, `0.01%` → basis points. The sign is required: a bare 0.5 could mean half or half a percent. */
export const percentBp = z
  .string({ error: 'expected a percentage with its sign, such as 5% or 0.5%' })
  .meta({
    description: 'A percentage with its sign, from 0% to 100%, in steps of 0.01%.',
    examples: ['5%'],
    pattern: '^\\s*\\d{1,3}(\\.\\d{1,2})?\\s*%\\s*$',
  })
  .transform((text, context) => {
    const bp = parsePercentBp(text);
    if (bp === undefined) {
      context.addIssue({
        code: 'custom',
        message: `expected a percentage from 0% to 100% in steps of 0.01%, such as 5%, got "${text}"`,
      });
      return z.NEVER;
    }
    return bp;
  });

/** Services, versions, routes, policies, rollouts: lower case, digits, `-`, `_`, `.`; at most 63 characters. */
export const name = z.string({ error: 'expected a name' }).regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, {
  error: 'expected a name of lower-case letters, digits, "-", "_" or ".", at most 63 characters',
});

/** Header names are compared in lower case (RFC 9110 §5.1). */
export const headerName = z
  .string({ error: 'expected a header name' })
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: 'expected a header name (RFC 9110 token)' })
  .transform((text) => text.toLowerCase());

/** Says that lint need not warn: here the client may choose what it says of itself. */
export const trustClient = z.literal(true).optional().meta({
  description: 'The header may be believed, as behind a trusted proxy that sets it: no warning.',
});

/** Origin of an upstream or service: scheme, host, optional port; no path, query or credentials. */
export const origin = z
  .string({ error: 'expected a URL such as http://127.0.0.1:9001' })
  .transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const sound =
      url &&
      /^https?:$/.test(url.protocol) &&
      url.pathname === '/' &&
      !url.search &&
      !url.hash &&
      !url.username &&
      !url.password;
    if (!sound) {
      context.addIssue({
        code: 'custom',
        message: `expected an origin such as http://127.0.0.1:9001 (no path, query or credentials), got "${text}"`,
      });
      return z.NEVER;
    }
    return url.origin;
  });

export const httpUrl = z
  .string({ error: 'expected an http(s) URL' })
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: 'expected an http(s) URL',
  });

/** `host:port`; the host may be empty (all interfaces) or a bracketed IPv6 address. Port 0 picks a free one. */
export const listenAddress = z
  .string({ error: 'expected an address such as 127.0.0.1:8080' })
  .transform((text, context) => {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
    const port = Number(match?.[2]);
    if (!match || port > 65_535) {
      context.addIssue({
        code: 'custom',
        message: `expected an address such as 127.0.0.1:8080 or :8080, got "${text}"`,
      });
      return z.NEVER;
    }
    const host = (match[1] as string).replace(/^\[|\]$/g, '');
    return { host: host === '' ? '::' : host, port };
  });

/** Says what is wrong without repeating the value, which may be a secret. */
export const INLINE_SECRET =
  'expected { env: NAME } or { file: path }, got a value: a secret is never written inline';

/** Secrets are never inline: they come from the environment or a file (trailing newline removed). */
export const secret = z.union(
  [
    z.strictObject({ env: z.string().min(1).meta({ description: 'Name of the environment variable.' }) }),
    z.strictObject({
      file: z.string().min(1).meta({ description: 'Path of the file, relative to the configuration file.' }),
    }),
  ],
  {
    error: (issue) =>
      issue.input === undefined ? 'expected { env: NAME } or { file: path }' : INLINE_SECRET,
  },
);

export type Secret = z.output<typeof secret>;
export type ListenAddress = z.output<typeof listenAddress>;
