/**
 * Decides what is done with a body by its fields: nothing, reshaping it whole, line by line or element by element.
 * Knows media types and the policies that speak about bodies; carries nothing out.
 * @module
 */

import type { PathMatch } from '../../config/gateway-model.ts';
import type { JsonMapping } from '../../config/policies/json-map.ts';
import { type JsonRules, type JsonValue, mapJson } from '../../core/policy/transform/json-map.ts';
import { codingOf } from './content-coding.ts';
import { fieldsOfChangedBody, fieldsWithout, fieldText, mediaTypeOf } from './field-list.ts';
import { JsonElements } from './json-elements.ts';
import { JsonLines } from './json-lines.ts';
import { compileRules } from './json-rules.ts';
import type { BodyPlan, CompiledBody } from './transform-model.ts';
import { UnreadableBody } from './unreadable-body.ts';

const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/jsonl',
  'application/json-lines',
]);

/** Newline-delimited JSON passes as it is in requests: what it is made of would have to be reshaped before an attempt. */
export function compileBody(
  direction: 'request' | 'response',
  mapping: JsonMapping | null,
  route: PathMatch,
): CompiledBody | null {
  if (mapping === null) return null;
  const rulesFor = compileRules(mapping, route);
  const { maxBytes, stream } = mapping;
  const refuses = mapping.onError === 'refuse';
  const isResponse = direction === 'response';
  return {
    plan: (subject, fields, status) => {
      // Errors pass as they are, and a 204 has nothing to reshape.
      if (isResponse && (status >= 300 || status === 204)) return null;
      const type = mediaTypeOf(fields);
      const lines = LINES.has(type);
      if (lines ? !isResponse : !isJson(type)) return null;
      const coding = codingOf(fields);
      const rules = rulesFor(subject);
      const map = (body: Buffer): Buffer => mappedText(body, rules);
      return {
        maxBytes,
        refuses,
        coding: coding ?? null,
        unreadable: troubleOf(coding, status),
        fields: changedFields,
        open: lines
          ? () => new JsonLines((line) => lineOf(line, rules), { maxBytes, refuses })
          : stream === null
            ? null
            : () => new JsonElements(rules, stream, maxBytes),
        map,
      };
    },
  };
}

/** What speaks against a body before any of it has come. */
export function knownTrouble(
  { unreadable, open, coding, maxBytes }: BodyPlan,
  fields: readonly string[],
): UnreadableBody | null {
  const length = Number(fieldText(fields, 'content-length') ?? 0);
  if (unreadable !== null || open !== null || coding !== null || length <= maxBytes) return unreadable;
  return new UnreadableBody('too-large', `it is larger than ${maxBytes} bytes`);
}

function isJson(type: string): boolean {
  return type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'));
}

/** A part (206) of a body is none that can be read. */
function troubleOf(coding: BodyPlan['coding'] | undefined, status: number): UnreadableBody | null {
  if (coding === undefined)
    return new UnreadableBody('unsupported', 'it is in a content coding that is not read here');
  return status === 206 ? new UnreadableBody('unsupported', 'it is a part of one') : null;
}

function changedFields(fields: readonly string[]): string[] {
  return fieldsWithout(fieldsOfChangedBody(fields), (name) => name === 'content-encoding');
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function mappedText(body: Buffer, rules: JsonRules): Buffer {
  try {
    // No JSON, no UTF-8, or nested deeper than can be walked.
    return Buffer.from(JSON.stringify(mapJson(JSON.parse(UTF8.decode(body)) as JsonValue, rules)));
  } catch {
    throw new UnreadableBody('malformed', 'it is no JSON');
  }
}

function lineOf(line: Buffer, rules: JsonRules): Buffer | undefined {
  try {
    return mappedText(line, rules);
  } catch {
    return undefined;
  }
}
