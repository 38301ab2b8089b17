/**
 * How a rollout file states the traffic of its service: `{ requests: 200/s, errors: 0.5% }`.
 * Owns the spelling of both; knows nothing of what is forecast from them.
 * @module
 */

import * as z from 'zod';
import type { ServiceTraffic } from '../core/domain/service-traffic.ts';

const UNIT_S = { s: 1, min: 60, h: 3600 } as const;
const MAX_PER_SECOND = 10_000_000;

const requests = z
  .string({ error: 'expected a rate such as 200/s' })
  .meta({
    description: 'Requests of all versions together per second, minute or hour, such as 200/s.',
    examples: ['200/s'],
    pattern: '^\\s*\\d+(\\.\\d+)?\\s*/\\s*(s|min|h)\\s*$',
  })
  .transform((text, context) => {
    const [, count = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*\/\s*(s|min|h)\s*$/.exec(text) ?? [];
    const perSecond = Number(count) / UNIT_S[unit as keyof typeof UNIT_S]; // The pattern names the keys.
    if (perSecond > 0 && perSecond <= MAX_PER_SECOND) return perSecond;
    context.addIssue({
      code: 'custom',
      message: `expected a rate such as 200/s, 30/min or 500/h, got "${text}"`,
    });
    return z.NEVER;
  });

const errors = z
  .string({ error: 'expected a percentage with its sign, such as 0.5%' })
  .meta({
    description: 'Share of requests that fail without any release, such as 0.5%.',
    examples: ['0.5%'],
    pattern: '^\\s*\\d{1,2}(\\.\\d{1,6})?\\s*%\\s*$',
  })
  .transform((text, context) => {
    const percent = /^\s*(\d{1,2}(?:\.\d{1,6})?)\s*%\s*$/.exec(text)?.[1];
    if (percent !== undefined) return Number(`${percent}e-2`);
    const message = `expected a percentage from 0% to below 100%, such as 0.5%, got "${text}"`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

export const statedTraffic = z
  .strictObject({ requests, errors })
  .transform((stated): ServiceTraffic => ({ requestsPerSecond: stated.requests, errorRate: stated.errors }))
  .meta({
    description:
      'What the service is asked in ordinary times: lint and plan say from it what each step can see. Changes no decision.',
  });
