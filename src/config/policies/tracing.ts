/**
 * The `tracing` setting: its shape in YAML and its defaults. Knows no spans.
 * @module
 */

import * as z from 'zod';
import { FULL_BP } from '../../core/domain/weight.ts';
import { headerName, httpUrl, percentBp, type Secret, secret } from '../primitives.ts';

const DEFAULT_SAMPLE_BP = 500;

export const tracingField = z
  .strictObject({
    otlp: httpUrl.meta({
      description: 'Where spans go by OTLP over HTTP (JSON), such as http://127.0.0.1:4318/v1/traces.',
    }),
    sample: percentBp.optional().meta({
      description: 'Share of the traces that begin here; others do as their parent says. Default 5%.',
    }),
    headers: z
      .record(headerName, secret)
      .optional()
      .meta({ description: 'Fields that the collector asks for, such as authorization.' }),
  })
  .optional()
  .meta({ description: 'Traces by OpenTelemetry. Default: none are kept; trace fields are passed on.' });

export interface TracingSettings {
  readonly url: string;
  /** 0 to 1. */
  readonly share: number;
  readonly headers: Readonly<Record<string, Secret>>;
}

export function completeTracing(yaml: z.output<typeof tracingField>): TracingSettings | null {
  if (yaml === undefined) return null;
  return {
    url: yaml.otlp,
    share: (yaml.sample ?? DEFAULT_SAMPLE_BP) / FULL_BP,
    headers: yaml.headers ?? {},
  };
}
