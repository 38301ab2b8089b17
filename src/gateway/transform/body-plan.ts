/**
 * Decides what is done with a body by its fields: nothing, or reshaping it whole, line by line or element by element,
 * perhaps into another form. Knows media types and the policies that speak about bodies; carries nothing out.
 * @module
 */

import { PassThrough } from 'node:stream';
import type { PathMatch } from '../../config/gateway-model.ts';
import type { JsonMapping } from '../../config/policies/json-map.ts';
import type { TransformPolicy } from '../../config/policies/transform.ts';
import { chooseEncoding } from '../../core/policy/transform/accept.ts';
import { type JsonRules, mapInSlices, mapJson } from '../../core/policy/transform/json-map.ts';
import { type BodyForm, formOf } from '../../core/policy/transform/media-types.ts';
import { atOnce } from '../../core/policy/transform/sliced.ts';
import type { BodyCounts, BodyDirection } from '../body-metrics.ts';
import { type Coding, codingOf } from './content-coding.ts';
import {
  fieldsOfChangedBody,
  fieldsWithout,
  fieldText,
  hasSeveralTypes,
  mediaTypeOf,
  weakTag,
} from './field-list.ts';
import { readJsonBody, writeJsonBody } from './json-codec.ts';
import { JsonElements } from './json-elements.ts';
import { JsonLines } from './json-lines.ts';
import { compileRules } from './json-rules.ts';
import type { BodyPlan, CompiledBody, TransformSubject } from './transform-model.ts';
import { compileTranslation, type Translation } from './translation.ts';
import { UnreadableBody } from './unreadable-body.ts';

const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/jsonl',
  'application/json-lines',
]);

/** Null: no body of that direction is touched. */
export function compileBody(
  direction: BodyDirection,
  { json, xml }: TransformPolicy,
  route: PathMatch,
  countsOf: (direction: BodyDirection) => BodyCounts,
): CompiledBody | null {
  const mapping = json?.[direction] ?? null;
  const rulesFor = mapping === null ? null : compileRules(mapping, route);
  const translation = xml === null ? null : compileTranslation(direction, xml);
  if (mapping === null && translation === null) return null;
  const isResponse = direction === 'response';
  const reshaping: CompiledBody['plan'] = (subject, fields, status) => {
    if (status === 304) return mapping === null ? null : { ...UNTOUCHED, fields: weakened };
    if (status === 204) return null;
    const type = mediaTypeOf(fields);
    // Rules are about successes: errors keep what they say.
    const rules = isResponse && status >= 300 ? null : (rulesFor?.(subject) ?? null);
    if (hasSeveralTypes(fields)) {
      if (rules === null && translation === null) return null;
      const refuses = translation === null ? mapping?.onError === 'refuse' : status < 300;
      return unreadable(fields, 'it has more than one Content-Type', refuses);
    }
    if (LINES.has(type)) return linesPlan(fields, status, mapping, rules);
    const from = formOf(type);
    if (from === null) {
      const keeps = !isResponse && rules !== null && mapping?.otherTypes === 'refuse';
      return keeps ? unreadable(fields, 'its Content-Type is not JSON') : null;
    }
    const target = translation?.target(subject, type, fields, status) ?? null;
    if (target !== null) return translated(fields, status, from, target, mapping, rules);
    if (rules === null || mapping === null) return null;
    if (from === 'json') return reshaped(fields, status, mapping, rules);
    // XML that stays XML, but has to keep the rules that its JSON has.
    const same = translation?.same(type, fields) ?? null;
    return same === null ? null : translated(fields, status, from, same, mapping, rules);
  };
  return {
    counts: countsOf(direction),
    plan: isResponse
      ? (subject, fields, status) => reshaping(subject, fields, status) ?? unpacked(subject, fields, status)
      : reshaping,
  };
}

function unreadable(fields: readonly string[], why: string, refuses = true): BodyPlan {
  return {
    ...UNTOUCHED,
    refuses,
    unreadable: new UnreadableBody('unsupported', why),
    fields: () => [...fields],
  };
}

/**
 * The upstream was asked for no coding, whatever the client takes: one that it chose all the same is taken off for a
 * client that cannot. Errors of the upstream too.
 */
function unpacked({ request }: TransformSubject, fields: readonly string[], status: number): BodyPlan | null {
  const coding = codingOf(fields);
  if (coding == null || status === 204 || status === 206 || status === 304) return null;
  const accepted = request.headers['accept-encoding'];
  if (chooseEncoding(String(accepted ?? ''), [coding]) !== null) return null;
  return { ...UNTOUCHED, change: 'unpacked', coding, fields: changedFields, open: () => new PassThrough() };
}

/** A 304 confirms the body that the client got: under the weak name that this had. */
function weakened(fields: readonly string[]): string[] {
  return fields.map((value, i) =>
    fields[i - 1]?.toLowerCase() === 'etag' && i % 2 === 1 ? weakTag(value) : value,
  );
}

/** Only fields are edited. */
const UNTOUCHED = {
  maxBytes: 0,
  refuses: false,
  change: null,
  coding: null,
  unreadable: null,
  open: null,
  map: null,
} as const;

function linesPlan(
  fields: readonly string[],
  status: number,
  mapping: JsonMapping | null,
  rules: JsonRules | null,
): BodyPlan | null {
  if (mapping === null || rules === null) return null;
  const plan = reshaped(fields, status, mapping, rules);
  const { maxBytes, refuses } = plan;
  return { ...plan, open: () => new JsonLines((line) => lineOf(line, rules), { maxBytes, refuses }) };
}

function reshaped(
  fields: readonly string[],
  status: number,
  mapping: JsonMapping,
  rules: JsonRules,
): BodyPlan {
  const { maxBytes, stream } = mapping;
  const coding = codingOf(fields);
  return {
    maxBytes,
    refuses: mapping.onError === 'refuse',
    change: 'mapped',
    coding: coding ?? null,
    unreadable: troubleOf(coding, status),
    fields: changedFields,
    open: stream === null ? null : () => new JsonElements(rules, stream, maxBytes),
    *map(body) {
      const value = yield* readJsonBody(body);
      return yield* writeJsonBody(yield* mapInSlices(value, rules), body.length);
    },
  };
}

function translated(
  fields: readonly string[],
  status: number,
  from: BodyForm,
  { form, type, codec, maxBytes, unreadable }: Translation,
  mapping: JsonMapping | null,
  rules: JsonRules | null,
): BodyPlan {
  const coding = codingOf(fields);
  // The limit of a rule that streams is of one element; this is read whole.
  const limit =
    rules === null || mapping === null || mapping.stream !== null
      ? maxBytes
      : Math.min(maxBytes, mapping.maxBytes);
  return {
    maxBytes: limit,
    // An error goes out in its own words rather than not at all.
    refuses: status < 300,
    change: from === form ? 'mapped' : 'translated',
    coding: coding ?? null,
    unreadable: troubleOf(coding, status) ?? unreadable,
    fields: (given) => [
      ...fieldsWithout(changedFields(given), (name) => name === 'content-type' || name === 'etag'),
      'content-type',
      type,
    ],
    open: null,
    *map(body) {
      let value = yield* from === 'json' ? readJsonBody(body) : codec.read(body);
      if (rules !== null) value = yield* mapInSlices(value, rules);
      const made = yield* form === 'json' ? writeJsonBody(value, body.length) : codec.write(value);
      if (made.length > limit) throw new UnreadableBody('too-large', `it becomes larger than ${limit} bytes`);
      return made;
    },
  };
}

/** What speaks against a body before any of it has come. */
export function knownTrouble(
  { unreadable, open, map, coding, maxBytes }: BodyPlan,
  fields: readonly string[],
): UnreadableBody | null {
  const length = Number(fieldText(fields, 'content-length') ?? 0);
  const isWhole = map !== null && open === null && coding === null;
  if (unreadable !== null || !isWhole || length <= maxBytes) return unreadable;
  return new UnreadableBody('too-large', `it is larger than ${maxBytes} bytes`);
}

/** A part (206) of a body is none that can be read. */
function troubleOf(coding: Coding | null | undefined, status: number): UnreadableBody | null {
  if (coding === undefined)
    return new UnreadableBody('unsupported', 'it is in a content coding that is not read here');
  return status === 206 ? new UnreadableBody('unsupported', 'it is a part of one') : null;
}

function changedFields(fields: readonly string[]): string[] {
  return fieldsWithout(fieldsOfChangedBody(fields), (name) => name === 'content-encoding');
}

function lineOf(line: Buffer, rules: JsonRules): Buffer | undefined {
  try {
    return atOnce(writeJsonBody(mapJson(atOnce(readJsonBody(line)), rules), line.length));
  } catch {
    return undefined;
  }
}
