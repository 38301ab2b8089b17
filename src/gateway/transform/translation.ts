/**
 * Whether a body changes between JSON and XML, and into which type: by what the upstream speaks, what the client sent
 * and what it accepts. Knows media types and fields, no bodies.
 * @module
 */

import type { XmlPolicy } from '../../config/policies/xml.ts';
import {
  acceptOfForm,
  type BodyForm,
  counterparts,
  formOf,
  namesForm,
  wantedType,
} from '../../core/policy/transform/media-types.ts';
import { atOnce } from '../../core/policy/transform/sliced.ts';
import { fieldsWithout, fieldText, mediaTypeOf } from './field-list.ts';
import type { CompiledTransform, FieldEditor, TransformSubject } from './transform-model.ts';
import { UnreadableBody } from './unreadable-body.ts';
import { codecsOf, type XmlCodec } from './xml-codec.ts';

/** What a body becomes. */
export interface Translation {
  readonly form: BodyForm;
  /** Content-Type. */
  readonly type: string;
  readonly codec: XmlCodec;
  readonly maxBytes: number;
  readonly unreadable: UnreadableBody | null;
}

export interface CompiledTranslation {
  /** Null: the body keeps its form. `type`: of the body, JSON or XML. */
  readonly target: (
    subject: TransformSubject,
    type: string,
    fields: readonly string[],
    status: number,
  ) => Translation | null;
  /** XML that is read and written again. */
  readonly same: (type: string, fields: readonly string[]) => Translation;
}

export function compileTranslation(
  direction: 'request' | 'response',
  policy: XmlPolicy,
): CompiledTranslation | null {
  const document = policy[direction];
  if (document === null) return null;
  const { maxBytes } = policy.limits;
  const codecs = codecsOf(document, policy);
  const { body: codec } = codecs;
  const translation = (type: string, fields: readonly string[], by: XmlCodec): Translation => ({
    form: formOf(type) ?? 'json',
    type: formOf(type) === 'xml' ? `${type}; charset=utf-8` : type,
    codec: by,
    maxBytes,
    unreadable: charsetTrouble(fields),
  });
  return {
    same: (type, fields) => translation(type, fields, codec),
    target: (subject, type, fields, status) => {
      if (direction === 'request') {
        if (formOf(type) === policy.upstream) return null;
        return translation(counterparts(type)[0] ?? type, fields, codec);
      }
      const leaning = formOfRequest(subject) ?? policy.prefer;
      const wanted = wantedType(type, subject.request.headers.accept, leaning);
      if (wanted === type) return null;
      // A problem document is known by its type, which is not what clients usually ask for.
      if (/^application\/problem\+(?:json|xml)$/.test(type))
        return translation(counterparts(type)[0] ?? type, fields, codecs.problem);
      return translation(wanted, fields, status < 300 ? codec : codecs.error);
    },
  };
}

function formOfRequest({ request }: TransformSubject): BodyForm | null {
  const type = request.headers['content-type'];
  return type === undefined ? null : formOf(mediaTypeOf(['content-type', type]));
}

/** XML and JSON are read in UTF-8, of which ASCII is a part. */
function charsetTrouble(fields: readonly string[]): UnreadableBody | null {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(fieldText(fields, 'content-type') ?? '')?.[1];
  if (charset === undefined || /^(?:utf-?8|us-ascii)$/i.test(charset)) return null;
  return new UnreadableBody('unsupported', 'it is not in UTF-8');
}

/** What the upstream is asked for, where responses are translated; null: what the client asks for. */
export function compileAsking({ upstream, prefer, response }: XmlPolicy): FieldEditor | null {
  if (response === null) return null;
  const other: BodyForm = upstream === 'json' ? 'xml' : 'json';
  return (subject, fields) => {
    const accept = fieldText(fields, 'accept');
    // A translated body has no tag of its own, so one that the client knows is of the other form.
    const mayTranslate = prefer === other || namesForm(accept, other) || formOfRequest(subject) === other;
    const kept = fieldsWithout(
      fields,
      (name) => name === 'accept' || (mayTranslate && name === 'if-none-match'),
    );
    return accept === undefined ? kept : [...kept, 'accept', acceptOfForm(accept, upstream)];
  };
}

const PROBLEM = 'application/problem+json';

/** The gateway's own problem documents, in XML for who wants errors in XML. */
export function compileProblems(policy: XmlPolicy): CompiledTransform['problem'] {
  const translation = compileTranslation('response', policy);
  if (translation === null) return null;
  return (subject, json) => {
    const target = translation.target(subject, PROBLEM, [], 400);
    try {
      if (target !== null) return { type: target.type, body: atOnce(target.codec.write(JSON.parse(json))) };
    } catch {
      // It quotes what XML cannot carry.
    }
    return { type: PROBLEM, body: Buffer.from(json) };
  };
}
