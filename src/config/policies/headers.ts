/**
 * The `headers` policy: its shape in YAML, merging, and which fields nobody may write. Templates are parsed here,
 * so that a bad one has its place in the file; they are filled in by the data plane.
 * @module
 */

import * as z from 'zod';
import { parseTemplate, type TextTemplate } from '../../core/policy/transform/text-template.ts';
import { headerName } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkTemplate } from './template-check.ts';

/** What a field value may be made of before variables are filled in: printable ASCII, no space at its ends. */
const fieldValue = z
  .string({ error: 'expected text' })
  .regex(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/, {
    error: 'expected printable ASCII without line breaks or spaces at its ends',
  })
  .max(4096);

const edits = z.strictObject({
  set: z.record(headerName, fieldValue).optional().meta({
    description: 'Fields with this one value, whatever was there before.',
  }),
  add: z.record(headerName, fieldValue).optional().meta({
    description: 'Values beside the ones that are there.',
  }),
  remove: z.array(headerName).max(64).optional().meta({ description: 'Fields to leave out.' }),
});

const headers = z.strictObject({
  request: edits.optional().meta({ description: 'What the upstream gets.' }),
  response: edits.optional().meta({ description: 'What the client gets, problem documents too.' }),
});

export const headersField = z
  .union([headers, z.literal(false)])
  .optional()
  .meta({
    description: 'Fields set, added and removed; values may hold variables of the request; false for none.',
  });

export type HeadersYaml = z.output<typeof headersField>;
type EditsYaml = z.output<typeof edits>;

export interface HeaderEdits {
  /** Lower case; taken out before anything is written. */
  readonly remove: ReadonlySet<string>;
  readonly set: readonly { readonly name: string; readonly value: TextTemplate }[];
  readonly add: readonly { readonly name: string; readonly value: TextTemplate }[];
}

export interface HeadersPolicy {
  readonly request: HeaderEdits | null;
  readonly response: HeaderEdits | null;
}

/** A route's own fields beside those of its policy; a field that both name has the route's value. */
export function mergeHeaders(base: HeadersYaml, over: HeadersYaml): HeadersYaml {
  if (!base || !over) return over ?? base;
  const request = mergeEdits(base.request, over.request);
  const response = mergeEdits(base.response, over.response);
  return { ...(request && { request }), ...(response && { response }) };
}

function mergeEdits(base: EditsYaml | undefined, over: EditsYaml | undefined): EditsYaml | undefined {
  if (!base || !over) return over ?? base;
  return {
    set: { ...base.set, ...over.set },
    add: { ...base.add, ...over.add },
    remove: [...(base.remove ?? []), ...(over.remove ?? [])],
  };
}

export function completeHeaders(yaml: HeadersYaml): HeadersPolicy | null {
  if (!yaml) return null;
  return { request: completeEdits(yaml.request), response: completeEdits(yaml.response) };
}

function completeEdits(yaml: EditsYaml | undefined): HeaderEdits | null {
  if (yaml === undefined) return null;
  const templates = (fields: Readonly<Record<string, string>> = {}) =>
    Object.entries(fields).map(([name, text]) => ({ name, value: parseTemplate(text).template }));
  return { remove: new Set(yaml.remove), set: templates(yaml.set), add: templates(yaml.add) };
}

/** Hop-by-hop and framing fields: only who speaks the protocol may touch them. */
const PROTOCOL =
  /^(?:connection|keep-alive|proxy-(?!status$).*|te|trailer|transfer-encoding|upgrade|content-length|expect|http2-settings)$/;
/** What the gateway itself tells upstreams: who asked, by which way. */
const GATEWAY_REQUEST = /^(?:host|forwarded|x-forwarded-.*|x-real-ip|x-request-id|traceparent|tracestate)$/;
const GATEWAY_RESPONSE = /^(?:x-request-id|content-encoding|content-range|age|cache-status)$/;
const CORS = /^access-control-/;

export function checkHeaders(source: YamlSource, path: Path, written: HeadersYaml): void {
  if (!written) return;
  for (const direction of ['request', 'response'] as const) {
    const own = direction === 'request' ? GATEWAY_REQUEST : GATEWAY_RESPONSE;
    const part = written[direction];
    if (part === undefined) continue;
    const at: Path = [...path, 'headers', direction];
    for (const operation of ['set', 'add'] as const) {
      for (const [name, text] of Object.entries(part[operation] ?? {})) {
        const place = writtenKey(source, [...at, operation], name);
        checkName(source, source.keyRange(place), name, own, direction);
        checkTemplate(source, place, text);
      }
    }
    for (const [index, name] of (part.remove ?? []).entries()) {
      checkName(source, source.valueRange([...at, 'remove', index]), name, own, direction);
    }
  }
}

function checkName(
  source: YamlSource,
  place: ReturnType<YamlSource['keyRange']>,
  name: string,
  own: RegExp,
  direction: 'request' | 'response',
): void {
  const plain = name.replaceAll('_', '-');
  if (PROTOCOL.test(plain)) {
    source.findings.error(place, `"${name}" belongs to the connection or the framing and cannot be changed`);
  } else if (own.test(plain)) {
    source.findings.error(place, `"${name}" is written by the gateway itself and cannot be changed`);
  } else if (direction === 'response' && CORS.test(plain)) {
    source.findings.error(place, `"${name}" is a matter of the cors policy`, 'use cors');
  }
}

/** The key as it stands in the file, where it may be in upper case. */
function writtenKey(source: YamlSource, at: Path, name: string): Path {
  const value = at.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<PropertyKey, unknown>)[step as string]
        : undefined,
    source.value,
  );
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  return [...at, keys.find((key) => key.toLowerCase() === name) ?? name];
}
