/**
 * The `json` and `status` policies: their shape in YAML, defaults and checks. Paths and templates are parsed here, so
 * that a bad one has its place in the file; bodies are reshaped by the data plane.
 * @module
 */

import * as z from 'zod';
import type { JsonValue } from '../../core/policy/transform/json-map.ts';
import { type JsonPath, parseJsonPath } from '../../core/policy/transform/json-path.ts';
import { parseTemplate, type TextTemplate } from '../../core/policy/transform/text-template.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkStream, namesOfStream } from './json-stream.ts';
import { checkTemplate } from './template-check.ts';

const jsonPath = z
  .string({ error: 'expected a path such as items[*].price' })
  .max(512)
  .refine((text) => parseJsonPath(text) !== undefined, { error: 'expected a path such as items[*].price' });
const streamPath = z
  .string({ error: 'expected the elements of an array, such as [*] or items[*]' })
  .max(512)
  .refine((text) => namesOfStream(text) !== undefined, {
    error: 'expected the elements of an array, such as [*] or items[*]',
  });
const propertyName = z
  .string()
  .regex(/^[^.[\]]{1,128}$/, { error: 'expected the name of a property' })
  .refine((text) => text !== '__proto__', { error: 'expected the name of a property' });

const rules = z.strictObject({
  pick: z.array(jsonPath).min(1).max(256).optional().meta({ description: 'Only these parts stay.' }),
  drop: z.array(jsonPath).max(256).optional().meta({ description: 'Parts to leave out.' }),
  rename: z
    .record(jsonPath, propertyName)
    .optional()
    .meta({ description: 'Path of a property: its new name, in the same object.' }),
  set: z
    .record(jsonPath, z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .optional()
    .meta({ description: 'Path: value; a text may hold variables as in headers.' }),
  maxBytes: z.int().min(1).max(16_777_216).optional().meta({
    description: 'Larger bodies, or lines of newline-delimited JSON, are not reshaped. Default 1 MiB.',
  }),
  onError: z.enum(['refuse', 'pass']).optional().meta({
    description:
      'What is too large or no JSON: refuse (413, 400, of a response 502) or pass as it is. Default refuse.',
  }),
  stream: streamPath.optional().meta({
    description:
      'Elements of an array that are reshaped one by one as they pass, such as items[*]; maxBytes is then of each.',
  }),
});

const requestRules = z.strictObject({
  ...rules.shape,
  otherTypes: z.enum(['refuse', 'pass']).optional().meta({
    description:
      'Bodies whose Content-Type is not JSON: refuse (415) or pass as they are. Default: what onError says.',
  }),
});

export const jsonField = z
  .union([z.strictObject({ request: requestRules.optional(), response: rules.optional() }), z.literal(false)])
  .optional()
  .meta({ description: 'Reshapes JSON bodies: pick, drop, rename, set, in this order; false for none.' });

const errorStatus = z.int().min(400).max(599);

const statusTarget = z.union(
  [
    errorStatus,
    z.strictObject({
      to: errorStatus,
      title: z.string().min(1).max(200).meta({ description: 'Of a problem document instead of the body.' }),
      detail: z.string().max(1000).optional(),
    }),
  ],
  { error: 'expected a status from 400 to 599, or { to: 410, title: … }' },
);

export const statusField = z
  .union([
    z.record(z.string().regex(/^[45]\d\d$/, { error: 'expected a status from 400 to 599' }), statusTarget),
    z.literal(false),
  ])
  .optional()
  .meta({ description: 'Status of the upstream: status that the client gets; false for none.' });

export type JsonYaml = z.output<typeof jsonField>;
export type StatusYaml = z.output<typeof statusField>;
type RulesYaml = z.output<typeof requestRules>;

export interface JsonMapping {
  readonly pick: readonly JsonPath[] | null;
  readonly drop: readonly JsonPath[];
  readonly rename: readonly { readonly path: JsonPath; readonly to: string }[];
  readonly set: readonly {
    readonly path: JsonPath;
    readonly value: TextTemplate | Exclude<JsonValue, object | string>;
  }[];
  readonly maxBytes: number;
  readonly onError: 'refuse' | 'pass';
  /** Of requests: bodies of which nobody knows whether an upstream reads them as JSON. */
  readonly otherTypes: 'refuse' | 'pass';
  /** The names on the way to the array that is reshaped as it passes; null: bodies are read whole. */
  readonly stream: readonly string[] | null;
}

export interface JsonPolicy {
  readonly request: JsonMapping | null;
  readonly response: JsonMapping | null;
}

export interface MappedStatus {
  readonly to: number;
  /** Null: the body of the upstream stays. */
  readonly problem: { readonly title: string; readonly detail: string } | null;
}

export type StatusPolicy = ReadonlyMap<number, MappedStatus>;

const DEFAULT_MAX_BYTES = 1_048_576;

export function completeJson(yaml: JsonYaml): JsonPolicy | null {
  if (!yaml) return null;
  return { request: completeRules(yaml.request), response: completeRules(yaml.response) };
}

function completeRules(yaml: RulesYaml | undefined): JsonMapping | null {
  if (yaml === undefined) return null;
  const paths = (texts: readonly string[] = []): JsonPath[] =>
    texts.flatMap((text) => [parseJsonPath(text) ?? []]);
  return {
    pick: yaml.pick === undefined ? null : paths(yaml.pick),
    drop: paths(yaml.drop),
    rename: Object.entries(yaml.rename ?? {}).map(([text, to]) => ({ path: parseJsonPath(text) ?? [], to })),
    set: Object.entries(yaml.set ?? {}).map(([text, value]) => ({
      path: parseJsonPath(text) ?? [],
      value: typeof value === 'string' ? parseTemplate(value).template : value,
    })),
    maxBytes: yaml.maxBytes ?? DEFAULT_MAX_BYTES,
    onError: yaml.onError ?? 'refuse',
    otherTypes: yaml.otherTypes ?? yaml.onError ?? 'refuse',
    stream: yaml.stream === undefined ? null : (namesOfStream(yaml.stream) ?? null),
  };
}

export function completeStatus(yaml: StatusYaml): StatusPolicy | null {
  if (!yaml) return null;
  return new Map(
    Object.entries(yaml).map(([from, target]) => [
      Number(from),
      typeof target === 'number'
        ? { to: target, problem: null }
        : { to: target.to, problem: { title: target.title, detail: target.detail ?? '' } },
    ]),
  );
}

export function templatesOfJson({ request, response }: JsonPolicy): readonly TextTemplate[] {
  return [...(request?.set ?? []), ...(response?.set ?? [])].flatMap(({ value }) =>
    Array.isArray(value) ? [value as TextTemplate] : [],
  );
}

export function checkJson(source: YamlSource, path: Path, written: JsonYaml): void {
  if (!written) return;
  for (const direction of ['request', 'response'] as const) {
    const at: Path = [...path, 'json', direction];
    if (written[direction] !== undefined) checkStream(source, at, written[direction]);
    for (const [key, value] of Object.entries(written[direction]?.set ?? {})) {
      if (typeof value === 'string') checkTemplate(source, [...at, 'set', key], value);
    }
    for (const key of Object.keys(written[direction]?.rename ?? {})) {
      if (parseJsonPath(key)?.at(-1)?.kind === 'name') continue;
      source.findings.error(
        source.keyRange([...at, 'rename', key]),
        'expected the path of a property, not of an element',
      );
    }
  }
}
