/**
 * The `timeout` policy: its shape in YAML, its defaults and the order of its times. Knows no clock.
 * @module
 */

import * as z from 'zod';
import { duration } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;

/** Milliseconds. */
export interface TimeoutPolicy {
  readonly connectMs: number;
  readonly responseMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
  /** Left out: an attempt may go on for as long as it does. */
  readonly attemptMs?: number;
  /** Left out: a response may go on for as long as it does. */
  readonly completeMs?: number;
}

const DEFAULTS: TimeoutPolicy = { connectMs: 1000, responseMs: 10_000, idleMs: 60_000, totalMs: 15_000 };

/** No defaults here: a route that sets one time keeps the others of its policy. */
export const timeoutField = z
  .strictObject({
    connect: duration(1, 60 * SECOND)
      .optional()
      .meta({ description: 'Until the connection to an endpoint stands. Default 1s.' }),
    response: duration(1, HOUR)
      .optional()
      .meta({ description: 'Per attempt, until the response headers. Default 10s.' }),
    idle: duration(1, HOUR)
      .optional()
      .meta({ description: 'Between two pieces of a response body. Default 60s.' }),
    attempt: duration(1, HOUR).optional().meta({
      description: 'Per attempt, until the last byte of its response. Default: no limit.',
    }),
    total: duration(1, HOUR).optional().meta({
      description: 'All attempts and backoffs until the response headers reach the client. Default 15s.',
    }),
    complete: duration(1, HOUR).optional().meta({
      description: 'All attempts and backoffs until the last byte of the response. Default: no limit.',
    }),
  })
  .optional();

type TimeoutYaml = z.output<typeof timeoutField>;

export function mergeTimeout(base: TimeoutYaml, over: TimeoutYaml): TimeoutYaml {
  return base || over ? { ...base, ...over } : undefined;
}

export function completeTimeout(timeout: TimeoutYaml = {}): TimeoutPolicy {
  return {
    connectMs: timeout.connect ?? DEFAULTS.connectMs,
    responseMs: timeout.response ?? DEFAULTS.responseMs,
    idleMs: timeout.idle ?? DEFAULTS.idleMs,
    totalMs: timeout.total ?? DEFAULTS.totalMs,
    ...(timeout.attempt !== undefined && { attemptMs: timeout.attempt }),
    ...(timeout.complete !== undefined && { completeMs: timeout.complete }),
  };
}

/** Pairs in which the first time never comes about, because the second is over before. */
const NEVER: readonly (readonly [keyof NonNullable<TimeoutYaml>, keyof NonNullable<TimeoutYaml>])[] = [
  ['connect', 'total'],
  ['connect', 'attempt'],
  ['response', 'total'],
  ['response', 'attempt'],
  ['total', 'complete'],
  ['attempt', 'complete'],
];

export function checkTimeout(source: YamlSource, path: Path, timeout: TimeoutYaml): void {
  const told = new Set<string>();
  for (const [inner, outer] of NEVER) {
    const [innerMs, outerMs] = [timeout?.[inner], timeout?.[outer]];
    if (innerMs === undefined || outerMs === undefined || innerMs <= outerMs || told.has(inner)) continue;
    told.add(inner);
    source.findings.warning(
      source.valueRange([...path, 'timeout', inner]),
      `the ${outer} timeout ends before this one ever does`,
    );
  }
}
