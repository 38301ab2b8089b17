/**
 * Bodies in XML as JSON values and back, as the `xml` policy of a route says. Knows bytes and documents; not whose body
 * it is.
 * @module
 */

import type { XmlDocument, XmlPolicy } from '../../config/policies/xml.ts';
import type { JsonValue } from '../../core/policy/transform/json-map.ts';
import { writeXml } from '../../core/policy/transform/json-to-xml.ts';
import type { Sliced } from '../../core/policy/transform/sliced.ts';
import { type Namespaces, XmlNames, XmlProblem } from '../../core/policy/transform/xml-names.ts';
import { shapeOf, type XmlLimits } from '../../core/policy/transform/xml-shape.ts';
import { encoded } from './encoded.ts';
import { UnreadableBody } from './unreadable-body.ts';
import { readXml } from './xml-reader.ts';

/** Both throw UnreadableBody. */
export interface XmlCodec {
  readonly read: (body: Buffer) => Sliced<JsonValue>;
  readonly write: (value: JsonValue) => Sliced<Buffer>;
}

export interface XmlCodecs {
  readonly body: XmlCodec;
  /** Bodies of errors, whatever the upstream makes of them. */
  readonly error: XmlCodec;
  /** Problem documents (RFC 9457, appendix B). */
  readonly problem: XmlCodec;
}

const ERROR: XmlDocument = { root: 'error', arrays: [], lists: {}, types: {} };
const PROBLEM: XmlDocument = { root: 'problem', arrays: [], lists: {}, types: { status: 'number' } };
const PROBLEM_NAMESPACES: Namespaces = { '': 'urn:ietf:rfc:7807' };

export function codecsOf(document: XmlDocument, { namespaces, limits }: XmlPolicy): XmlCodecs {
  return {
    body: codec(document, namespaces, limits, true),
    error: codec(ERROR, null, limits, false),
    problem: codec(PROBLEM, PROBLEM_NAMESPACES, limits, true),
  };
}

/** `strict`: another root element is refused; else its name is kept, as that of the one property. */
function codec(
  document: XmlDocument,
  namespaces: Namespaces | null,
  limits: XmlLimits,
  strict: boolean,
): XmlCodec {
  const shape = shapeOf(document);
  const names = new XmlNames(namespaces);
  const { root } = document;
  return {
    *read(body) {
      const { name, value } = yield* readXml(body, names, limits, shape);
      if (name === root) return value;
      if (!strict) return { [name]: value };
      throw new UnreadableBody('malformed', `its root element is not <${root}>`);
    },
    *write(value) {
      let pieces: readonly string[];
      try {
        pieces = yield* writeXml(value, root, names, limits, shape);
      } catch (error) {
        if (!(error instanceof XmlProblem)) throw error;
        throw new UnreadableBody(error.tooLarge ? 'too-large' : 'malformed', error.message);
      }
      return yield* encoded(pieces);
    },
  };
}
