/**
 * The `outlier` setting of a service: its shape in YAML and its defaults. Knows no data plane.
 * @module
 */

import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import type { OutlierLimits } from '../../core/policy/outlier.ts';
import { duration, percentBp } from '../primitives.ts';

const HOUR = 3_600_000;

export const outlierField = z
  .strictObject({
    failures: z.int().min(1).max(1_000).default(5).meta({
      description: 'Failures in a row (refused, reset, timed out, 502, 503, 504) that eject. Default 5.',
    }),
    ejection: duration(100, HOUR).optional().meta({
      description: 'Time out of rotation, times the number of ejections in a row. Default 30s.',
    }),
    maxEjection: duration(100, HOUR).optional().meta({ description: 'No ejection is longer. Default 5m.' }),
    maxEjected: percentBp.optional().meta({
      description:
        'Share of the endpoints of a version that may be ejected at a time, at least one. Default 30%.',
    }),
  })
  .optional()
  .meta({ description: 'Ejects endpoints that keep failing attempts. Default: none are.' });

/** Null: nothing is ejected. */
export function completeOutlier(yaml: z.output<typeof outlierField>): OutlierLimits | null {
  if (!yaml) return null;
  const baseMs = yaml.ejection ?? 30_000;
  return {
    consecutive: yaml.failures,
    baseMs,
    maxMs: Math.max(baseMs, yaml.maxEjection ?? 300_000),
    maxShare: (yaml.maxEjected ?? 3_000) / FULL_BP,
  };
}
