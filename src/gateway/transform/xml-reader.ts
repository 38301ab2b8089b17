/**
 * Reads an XML document strictly: UTF-8 only, no document type (so no entities but the five that XML has), no XML 1.1.
 * Knows the parser; what is made of the elements is the core's.
 * @module
 */

import { TextDecoder } from 'node:util';
import { type SaxesAttributeNS, SaxesParser } from 'saxes';
import type { JsonValue } from '../../core/policy/transform/json-map.ts';
import type { Sliced } from '../../core/policy/transform/sliced.ts';
import { type XmlNames, XmlProblem } from '../../core/policy/transform/xml-names.ts';
import type { XmlLimits, XmlNode } from '../../core/policy/transform/xml-shape.ts';
import { XmlToJson } from '../../core/policy/transform/xml-to-json.ts';
import { UnreadableBody } from './unreadable-body.ts';

const MAX_MESSAGE = 200;

/** Of one slice: attributes take longest. */
const SLICE_BYTES = 8_192;

/** Throws UnreadableBody. */
export function* readXml(
  body: Buffer,
  names: XmlNames,
  limits: XmlLimits,
  shape: XmlNode,
): Sliced<{ readonly name: string; readonly value: JsonValue }> {
  const [first, second] = body;
  const isUtf16 = (first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe);
  if (isUtf16) throw new UnreadableBody('unsupported', 'it is not in UTF-8');
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const builder = new XmlToJson(names, limits, shape);
  const parser = parserOf(builder, limits);
  try {
    for (let at = 0; at < body.length; at += SLICE_BYTES) {
      if (at > 0) yield;
      parser.write(decoded(utf8, body.subarray(at, at + SLICE_BYTES), at + SLICE_BYTES < body.length));
    }
    parser.close();
  } catch (error) {
    if (error instanceof UnreadableBody) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const what =
      error instanceof XmlProblem ? message : `it is no well-formed XML: ${message.replace(/\.$/, '')}`;
    throw new UnreadableBody('malformed', what.slice(0, MAX_MESSAGE));
  }
  if (builder.root === null) throw new UnreadableBody('malformed', 'it has no element');
  return builder.root;
}

function decoded(utf8: TextDecoder, part: Buffer, stream: boolean): string {
  try {
    return utf8.decode(part, { stream });
  } catch {
    throw new UnreadableBody('malformed', 'it is no UTF-8');
  }
}

function parserOf(builder: XmlToJson, { maxAttributes }: XmlLimits): SaxesParser<{ xmlns: true }> {
  const parser = new SaxesParser({ xmlns: true });
  let attributes = 0;
  parser.on('xmldecl', ({ version, encoding }) => {
    // An ASCII document is one in UTF-8.
    if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding))
      throw new UnreadableBody('unsupported', 'it says that it is not in UTF-8');
    if (version !== undefined && version !== '1.0')
      throw new UnreadableBody('unsupported', 'it is not XML 1.0');
  });
  parser.on('doctype', () => {
    throw new XmlProblem('it has a document type declaration');
  });
  parser.on('opentagstart', () => {
    attributes = 0;
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > maxAttributes)
      throw new XmlProblem(`it has more than ${maxAttributes} attributes in one element`);
  });
  parser.on('opentag', (tag) => builder.open(tag, Object.values<SaxesAttributeNS>(tag.attributes)));
  parser.on('text', (piece) => builder.text(piece));
  parser.on('cdata', (piece) => builder.text(piece));
  parser.on('closetag', () => builder.close());
  return parser;
}
