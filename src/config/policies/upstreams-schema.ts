/**
 * Where the endpoints of a version are: their shapes in YAML and the defaults. Knows no data plane.
 * @module
 */

import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import { name, origin, percentBp } from '../primitives.ts';

const DEFAULT_LOCAL_BP = 7_000;

export const zoneField = name;

const endpointWeight = z.int().min(1).max(1_000).default(1).meta({
  description: 'Share of the attempts, relative to the other endpoints of the version. Default 1.',
});

const endpointZone = zoneField
  .default('')
  .meta({ description: 'Where the endpoint runs. Default: unknown.' });

const endpoint = z
  .union([origin, z.strictObject({ url: origin, weight: endpointWeight, zone: endpointZone })])
  .transform((value) => (typeof value === 'string' ? { url: value, weight: 1, zone: '' } : value));

export const versionShape = z.strictObject({
  endpoints: z.array(endpoint).min(1).max(256),
});

export const localZoneField = z
  .union([
    z.strictObject({
      enough: percentBp
        .refine((bp) => bp > 0, { error: 'expected more than 0%' })
        .optional()
        .meta({
          description:
            'With this share of the endpoints in its zone well, a gateway stays there with all attempts; with less, with as much less. Default 70%.',
        }),
    }),
    z.literal(false),
  ])
  .optional()
  .meta({ description: 'Prefers endpoints in the zone of the gateway; false for not. Default: on.' });

/** 0–1; null: zones do not matter. */
export function completeLocalZone(yaml: z.output<typeof localZoneField>): number | null {
  if (yaml === false) return null;
  return (yaml?.enough ?? DEFAULT_LOCAL_BP) / FULL_BP;
}
