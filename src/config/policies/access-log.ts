/**
 * The `accessLog` setting: its shape in YAML and its defaults. Knows no lines.
 * @module
 */

import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import type { LogRules } from '../../core/policy/log-sampling.ts';
import { duration, percentBp } from '../primitives.ts';

const HOUR = 3_600_000;
const DEFAULT_SLOW_MS = 1_000;

/** Fields that say who somebody is, or where. */
const redactable = z.enum(['caller', 'tenant', 'client_ip', 'endpoint', 'request_id', 'trace_id']);

export const accessLogField = z
  .union([
    z.enum(['stdout', 'off']),
    z.strictObject({
      file: z.string().min(1).optional().meta({
        description:
          'Appended to; relative to this file; rotation is left to the platform. Default: standard output.',
      }),
      sample: percentBp
        .optional()
        .meta({ description: 'Share of the requests that get a line. Default 100%.' }),
      always: z
        .array(z.enum(['errors', 'slow']))
        .min(1)
        .optional()
        .meta({ description: 'Requests that get a line whatever the share. Default: errors.' }),
      slow: duration(1, HOUR).optional().meta({ description: 'From when on a request is slow. Default 1s.' }),
      redact: z
        .array(redactable)
        .min(1)
        .optional()
        .meta({ description: 'Fields that are written without their values. Default: none.' }),
    }),
  ])
  .default('stdout');

export type AccessLogYaml = z.output<typeof accessLogField>;
export type LogDestination =
  | { readonly kind: 'stdout' | 'off' }
  | { readonly kind: 'file'; readonly path: string };

/** With an absolute path: relative ones are so to the configuration, wherever the process was started. */
export function logDestination(yaml: AccessLogYaml, configPath: string): LogDestination {
  if (typeof yaml === 'string') return { kind: yaml };
  if (yaml.file === undefined) return { kind: 'stdout' };
  return { kind: 'file', path: resolve(dirname(configPath), yaml.file) };
}

export function logRules(yaml: AccessLogYaml): LogRules {
  const { sample = FULL_BP, always = ['errors'], slow, redact = [] } = typeof yaml === 'string' ? {} : yaml;
  return {
    share: sample / FULL_BP,
    errors: always.includes('errors'),
    slowMs: always.includes('slow') ? (slow ?? DEFAULT_SLOW_MS) : null,
    redacted: new Set(redact),
  };
}
