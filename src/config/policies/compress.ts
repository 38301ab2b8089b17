/**
 * The `compress` policy: its shape in YAML, merging and defaults. Knows no requests.
 * @module
 */

import * as z from 'zod';

const compress = z.strictObject({
  encodings: z
    .array(z.enum(['br', 'gzip']))
    .min(1)
    .optional()
    .meta({ description: 'In order of preference where the client likes them alike. Default br, gzip.' }),
  minBytes: z.int().min(0).max(1_048_576).optional().meta({
    description: 'Responses that are known to be smaller stay as they are. Default 1024.',
  }),
  types: z
    .array(
      z.string().regex(/^[a-z]+\/(?:\*(?:\+[a-z]+)?|[a-z0-9.+-]+)$/, {
        error: 'expected a media type such as text/*, application/json or application/*+json',
      }),
    )
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Media types to compress. Default: text, JSON, XML, JavaScript, SVG.' }),
});

export const compressField = z.union([compress, z.boolean()]).optional().meta({
  description: 'Compresses responses for clients that take it; true for the defaults, false for none.',
});

export type CompressYaml = z.output<typeof compressField>;

export interface CompressPolicy {
  readonly encodings: readonly ('br' | 'gzip')[];
  readonly minBytes: number;
  readonly types: readonly string[];
}

const DEFAULT_TYPES = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/x-ndjson',
  'application/xml',
  'application/*+xml',
  'application/javascript',
  'image/svg+xml',
];

export function mergeCompress(base: CompressYaml, over: CompressYaml): CompressYaml {
  return typeof base === 'object' && typeof over === 'object' ? { ...base, ...over } : (over ?? base);
}

export function completeCompress(yaml: CompressYaml): CompressPolicy | null {
  if (!yaml) return null;
  const written = yaml === true ? {} : yaml;
  return {
    encodings: [...new Set(written.encodings ?? (['br', 'gzip'] as const))],
    minBytes: written.minBytes ?? 1024,
    types: written.types ?? DEFAULT_TYPES,
  };
}
