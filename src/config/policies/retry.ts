/**
 * The `retry` policy of a route and the `retryBudget` of a service: shapes in YAML, merging, defaults. Knows no data plane.
 * @module
 */

import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import type { RetryLimits } from '../../core/policy/retry.ts';
import { DEFAULT_RETRY_BUDGET, type RetryBudgetLimits } from '../../core/policy/retry-budget.ts';
import { duration, percentBp } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;

export interface RetryPolicy extends RetryLimits {
  /** Bodies up to this size are kept for a retry. */
  readonly bufferBytes: number;
}

const DEFAULTS: RetryPolicy = {
  attempts: 1,
  on: ['connect', 'reset', '502', '503', '504'],
  baseMs: 25,
  maxMs: 250,
  bufferBytes: 65_536,
};

const retryOn = z.enum(['connect', 'reset', 'timeout', '429', '500', '502', '503', '504']);
const EXPECTED = 'expected connect, reset, timeout, 429, 500, 502, 503 or 504';
const statuses = [z.literal(429), z.literal(500), z.literal(502), z.literal(503), z.literal(504)] as const;

/** No defaults here: a route that sets one field keeps the others of its policy. */
const retry = z.strictObject({
  attempts: z
    .int()
    .min(1)
    .max(5)
    .optional()
    .meta({ description: 'Further tries after the first. Default 1.' }),
  on: z
    .array(
      z
        .union([retryOn, ...statuses], { error: EXPECTED })
        .transform((value) => String(value) as z.output<typeof retryOn>),
    )
    .min(1)
    .optional()
    .meta({
      description: 'Outcomes of an attempt that are tried again. Default: all but timeout, 429 and 500.',
    }),
  backoff: z
    .strictObject({ base: duration(1, 10 * SECOND).optional(), max: duration(1, 60 * SECOND).optional() })
    .optional()
    .meta({
      description:
        'Full jitter: a random time up to base, doubled each time, at most max. Default 25ms, 250ms.',
    }),
  onlyIfFirstAttemptUnder: duration(1, HOUR).optional().meta({
    description:
      'No retry when the first attempt took this long to fail: it had its chance. Default: any time.',
  }),
  bufferBytes: z.int().min(0).max(16_777_216).optional().meta({
    description:
      'A request body up to this size is kept for a retry; a larger one is sent once. Default 64 KiB.',
  }),
});

export const retryField = z
  .union([retry, z.literal(false)])
  .optional()
  .meta({ description: 'Retries of idempotent methods; false for none. Default: one retry.' });

type RetryYaml = z.output<typeof retryField>;

export function mergeRetry(base: RetryYaml, over: RetryYaml): RetryYaml {
  if (over === undefined || over === false || !base) return over ?? base;
  const backoff = base.backoff || over.backoff ? { ...base.backoff, ...over.backoff } : undefined;
  return { ...base, ...over, ...(backoff && { backoff }) };
}

/** Null: no retries. */
export function completeRetry(yaml: RetryYaml = {}): RetryPolicy | null {
  if (yaml === false) return null;
  const { backoff } = yaml;
  const baseMs = backoff?.base ?? Math.min(DEFAULTS.baseMs, backoff?.max ?? DEFAULTS.baseMs);
  return {
    attempts: yaml.attempts ?? DEFAULTS.attempts,
    on: [...new Set(yaml.on ?? DEFAULTS.on)],
    baseMs,
    maxMs: backoff?.max ?? Math.max(DEFAULTS.maxMs, baseMs),
    ...(yaml.onlyIfFirstAttemptUnder !== undefined && {
      onlyIfFirstAttemptUnderMs: yaml.onlyIfFirstAttemptUnder,
    }),
    bufferBytes: yaml.bufferBytes ?? DEFAULTS.bufferBytes,
  };
}

export function checkRetry(source: YamlSource, path: Path, yaml: RetryYaml): void {
  const backoff = yaml ? yaml.backoff : undefined;
  if (backoff?.base === undefined || backoff.max === undefined || backoff.base <= backoff.max) return;
  source.findings.error(
    source.valueRange([...path, 'retry', 'backoff', 'max']),
    `expected at least the base of ${backoff.base}ms, got ${backoff.max}ms`,
  );
}

export const retryBudgetField = z
  .strictObject({
    share: percentBp.optional().meta({
      description: 'Retries and hedges may be this share of the requests of the last 10 s. Default 20%.',
    }),
    perSecond: z.int().min(0).max(100_000).optional().meta({
      description: 'So many a second are always allowed, of one gateway. Default 10.',
    }),
  })
  .optional()
  .meta({ description: 'Bounds the load that retries and hedges add to a service, per gateway.' });

export function completeRetryBudget(yaml: z.output<typeof retryBudgetField>): RetryBudgetLimits {
  return {
    share: yaml?.share === undefined ? DEFAULT_RETRY_BUDGET.share : yaml.share / FULL_BP,
    perSecond: yaml?.perSecond ?? DEFAULT_RETRY_BUDGET.perSecond,
  };
}
