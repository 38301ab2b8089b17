/**
 * The `health` setting of a service: its shape in YAML, its defaults, what does not fit together. Knows no data
 * plane.
 * @module
 */

import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import { duration, percentBp } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

export interface HealthPolicy {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** 0–1: share of the interval by which a wait may be longer or shorter. */
  readonly jitter: number;
  /** Successes in a row after which an unhealthy endpoint is healthy. */
  readonly healthy: number;
  /** Failures in a row after which a healthy endpoint is unhealthy. */
  readonly unhealthy: number;
  /** Statuses that are successes, bounds included. */
  readonly expect: readonly { readonly from: number; readonly to: number }[];
  /** Null: the endpoint's own. */
  readonly host: string | null;
}

const status = z
  .union(
    [
      z.int().min(200).max(599),
      z.string().regex(/^[2-5]xx$/, { error: 'expected a status such as 200, or a class such as 2xx' }),
    ],
    {
      error: 'expected a status such as 200, or a class such as 2xx',
    },
  )
  .transform((value) => {
    if (typeof value === 'number') return { from: value, to: value };
    const from = Number(value[0]) * 100;
    return { from, to: from + 99 };
  });

export const healthField = z
  .strictObject({
    path: z.string().regex(/^\/[^\s#]*$/, { error: 'expected a path such as /healthz' }),
    interval: duration(100, HOUR).optional().meta({ description: 'Between two checks. Default 5s.' }),
    timeout: duration(10, 60 * SECOND)
      .optional()
      .meta({ description: 'A check that takes longer has failed. Default 2s, at most the interval.' }),
    jitter: percentBp.optional().meta({
      description: 'Each wait is longer or shorter by up to this share of the interval. Default 10%.',
    }),
    healthy: z.int().min(1).max(100).default(2).meta({
      description: 'Successes in a row that bring an endpoint back. Default 2.',
    }),
    unhealthy: z.int().min(1).max(100).default(3).meta({
      description: 'Failures in a row that take an endpoint out. Default 3.',
    }),
    expect: z
      .array(status)
      .min(1)
      .max(16)
      .optional()
      .meta({ description: 'Statuses of a success, such as 204 or 2xx. Default: 2xx.' }),
    host: z
      .string()
      .regex(/^[A-Za-z0-9.:[\]-]{1,255}$/, { error: 'expected a host such as orders.internal' })
      .optional()
      .meta({ description: 'Host field of the check. Default: host and port of the endpoint.' }),
  })
  .optional()
  .meta({ description: 'Active health checks of every endpoint. Default: none.' });

type HealthYaml = z.output<typeof healthField>;

/** Null: endpoints are not checked. */
export function completeHealth(yaml: HealthYaml): HealthPolicy | null {
  if (!yaml) return null;
  const intervalMs = yaml.interval ?? 5 * SECOND;
  return {
    path: yaml.path,
    intervalMs,
    timeoutMs: yaml.timeout ?? Math.min(2 * SECOND, intervalMs),
    jitter: (yaml.jitter ?? 1_000) / FULL_BP,
    healthy: yaml.healthy,
    unhealthy: yaml.unhealthy,
    expect: yaml.expect ?? [{ from: 200, to: 299 }],
    host: yaml.host ?? null,
  };
}

/** `path` is the service's. */
export function checkHealth(source: YamlSource, path: Path, yaml: HealthYaml): void {
  if (yaml?.timeout === undefined) return;
  const intervalMs = yaml.interval ?? 5 * SECOND;
  if (yaml.timeout <= intervalMs) return;
  source.findings.error(
    source.valueRange([...path, 'health', 'timeout']),
    `expected at most the interval of ${intervalMs}ms, got ${yaml.timeout}ms`,
  );
}
