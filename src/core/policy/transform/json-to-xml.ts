/**
 * Writes a JSON value as an XML document. Pure; whatever the value holds, what comes out is well-formed or refused.
 * @module
 */

import type { JsonValue } from './json-map.ts';
import type { Sliced } from './sliced.ts';
import {
  ATTRIBUTE,
  escapedName,
  TEXT as TEXT_NAME,
  XML,
  XMLNS,
  type XmlNames,
  XmlProblem,
  XSI,
} from './xml-names.ts';
import type { XmlLimits, XmlNode } from './xml-shape.ts';

/** Elements of an array in an array, and of one whose list has no other name. */
const ITEM = 'item';
const DECLARES = `${ATTRIBUTE}xmlns:`;
/** Prefix: namespace, as the document has declared them so far. */
type Scope = ReadonlyMap<string, string>;
type JsonObject = { [name: string]: JsonValue };
const NONE: Scope = new Map();
const NOT_IN_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Of one slice, characters of XML: attributes take longest. */
const SLICE_CHARS = 8_192;

/** The document's text in pieces. Throws XmlProblem. `root`: name of the document's element. */
export function writeXml(
  value: JsonValue,
  root: string,
  names: XmlNames,
  limits: XmlLimits,
  shape: XmlNode,
): Sliced<readonly string[]> {
  return new XmlWriter(names, limits).document(root, value, shape);
}

class XmlWriter {
  readonly #names: XmlNames;
  readonly #limits: XmlLimits;
  /** All up to where the root element can still declare something. */
  #head = '';
  readonly #pieces: string[] = [];
  #chars = 0;
  #out = '';
  #elements = 0;
  #usesXsi = false;
  #declaresXsi = false;

  constructor(names: XmlNames, limits: XmlLimits) {
    this.#names = names;
    this.#limits = limits;
  }

  *document(root: string, value: JsonValue, shape: XmlNode): Sliced<readonly string[]> {
    this.#out = '<?xml version="1.0" encoding="UTF-8"?>\n';
    yield* this.#element(root, value, shape, NONE, 1);
    const xsi = this.#usesXsi && !this.#declaresXsi ? ` xmlns:xsi="${XSI}"` : '';
    return [this.#head + xsi, ...this.#pieces, this.#out];
  }

  /** Puts what is written so far aside, if that is enough for a slice. */
  #endsSlice(): boolean {
    if (this.#out.length < SLICE_CHARS) return false;
    this.#pieces.push(this.#out);
    this.#chars += this.#out.length;
    this.#out = '';
    return true;
  }

  #checkSize(): void {
    const { maxBytes } = this.#limits;
    if (this.#head.length + this.#chars + this.#out.length > maxBytes)
      throw new XmlProblem(`it becomes larger than ${maxBytes} bytes`, true);
  }

  *#element(
    name: string,
    value: JsonValue,
    node: XmlNode | undefined,
    around: Scope,
    depth: number,
  ): Sliced<void> {
    const { maxDepth, maxElements } = this.#limits;
    this.#elements += 1;
    if (this.#elements > maxElements) throw new XmlProblem(`it has more than ${maxElements} elements`);
    if (depth > maxDepth) throw new XmlProblem(`it is nested deeper than ${maxDepth}`);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    // Asked once: of an object with thousands of members it takes milliseconds.
    const members = isObject ? Object.keys(value) : [];
    const inScope = isObject ? withDeclared(value, members, around) : around;
    const written = this.#written(name, inScope);
    this.#out += `<${written}`;
    if (depth === 1) this.#declareNamespaces();
    if (isObject) yield* this.#attributes(value, members, inScope);
    if (value === null) this.#usesXsi = true;
    this.#out += value === null ? ' xsi:nil="true">' : '>';
    if (isObject) yield* this.#members(value, members, node, inScope, depth);
    else if (Array.isArray(value)) {
      const item = node?.item ?? ITEM;
      for (const each of value)
        yield* this.#element(item, each, node?.children.get(item), inScope, depth + 1);
    } else if (value !== null) {
      yield* this.#text(textOf(value), TEXT);
    }
    this.#out += `</${written}>`;
    this.#checkSize();
    if (this.#endsSlice()) yield;
  }

  *#text(text: string, escapes: Escapes): Sliced<void> {
    for (let at = 0; at < text.length; ) {
      const end = endOfPiece(text, at);
      this.#out += escaped(text.slice(at, end), escapes);
      at = end;
      this.#checkSize();
      if (this.#endsSlice()) yield;
    }
  }

  /** What the configuration declares is declared once, by the root. */
  #declareNamespaces(): void {
    for (const [prefix, uri] of Object.entries(this.#names.declared ?? {})) {
      this.#out += ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escaped(uri, VALUE)}"`;
    }
    this.#head = this.#out;
    this.#out = '';
  }

  *#attributes(value: JsonObject, members: readonly string[], inScope: Scope): Sliced<void> {
    const { maxAttributes } = this.#limits;
    const seen = new Set<string>();
    let count = 0;
    for (const name of members) {
      const given = name.startsWith(ATTRIBUTE) ? value[name] : null;
      if (given == null) continue;
      if (typeof given === 'object')
        throw new XmlProblem(`"${name.slice(0, 64)}" is an attribute, which holds one value`);
      const plain = name.slice(ATTRIBUTE.length);
      const written = isDeclaration(plain)
        ? this.#declaration(plain, String(given))
        : this.#written(plain, inScope);
      // Two prefixes may stand for one namespace.
      const [prefix, local] = written.split(':', 2);
      const uri = prefix === 'xsi' ? XSI : inScope.get(prefix ?? '');
      seen.add(local === undefined || uri === undefined ? written : `{${uri}}${local}`);
      count += 1;
      if (seen.size !== count) throw new XmlProblem('it has an attribute twice');
      if (seen.size > maxAttributes)
        throw new XmlProblem(`it has more than ${maxAttributes} attributes in one element`);
      this.#out += ` ${written}="`;
      yield* this.#text(textOf(given), VALUE);
      this.#out += '"';
    }
  }

  /** Returns the name: there is nothing to escape in it. */
  #declaration(name: string, uri: string): string {
    if (this.#names.declared !== null || !isSoundDeclaration(name, uri))
      throw new XmlProblem('it declares a namespace that is not expected here');
    if (name === 'xmlns:xsi') this.#declaresXsi ||= this.#elements === 1;
    return name;
  }

  *#members(
    value: JsonObject,
    members: readonly string[],
    node: XmlNode | undefined,
    inScope: Scope,
    depth: number,
  ): Sliced<void> {
    const text = value[TEXT_NAME] ?? null;
    if (typeof text === 'object' && text !== null)
      throw new XmlProblem(`"${TEXT_NAME}" holds more than one value`);
    if (text !== null) yield* this.#text(textOf(text), TEXT);
    for (const name of members) {
      const given = value[name];
      if (given === undefined || name === TEXT_NAME || name.startsWith(ATTRIBUTE)) continue;
      const child = node?.children.get(name);
      const repeats = Array.isArray(given) && (child === undefined || child.item === null || child.array);
      for (const each of repeats ? given : [given])
        yield* this.#element(name, each, child, inScope, depth + 1);
    }
  }

  #written(name: string, inScope: Scope): string {
    const written = this.#names.written(name, inScope);
    if (written.startsWith('xsi:')) this.#usesXsi = true;
    return written;
  }
}

function isDeclaration(name: string): boolean {
  return name === 'xmlns' || name.startsWith('xmlns:');
}

/** No prefix that XML keeps for itself, none that is no name, and none taken back, which only XML 1.1 knows. */
function isSoundDeclaration(name: string, uri: string): boolean {
  if (uri === XML || uri === XMLNS) return false;
  if (name === 'xmlns') return true;
  const prefix = name.slice('xmlns:'.length);
  if (prefix === '' || prefix === 'xml' || prefix === 'xmlns' || escapedName(prefix) !== prefix) return false;
  return uri !== '' && (prefix !== 'xsi' || uri === XSI);
}

/** What an element can use: the prefixes around it and its own. */
function withDeclared(value: JsonObject, members: readonly string[], around: Scope): Scope {
  const own = members.filter((name) => name.startsWith(DECLARES) && value[name] !== null);
  if (own.length === 0) return around;
  return new Map([
    ...around,
    ...own.map((name) => [name.slice(DECLARES.length), String(value[name])] as const),
  ]);
}

/** What stands for which characters. */
interface Escapes {
  readonly pattern: RegExp;
  readonly by: Readonly<Record<string, string>>;
}

/** A line break of the text has to survive the normalisation that every parser does. */
const TEXT: Escapes = {
  pattern: /[&<>\r]/g,
  by: { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' },
};
const VALUE: Escapes = {
  pattern: /[&<>"\r\t\n]/g,
  by: { ...TEXT.by, '"': '&quot;', '\t': '&#9;', '\n': '&#10;' },
};

/** Not between the two halves of a character. */
function endOfPiece(text: string, from: number): number {
  const end = from + SLICE_CHARS;
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}

function textOf(value: string | number | boolean): string {
  // JSON text can say 1e999, which no number is.
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new XmlProblem('a number in it is too large');
  return String(value);
}

function escaped(text: string, { pattern, by }: Escapes): string {
  if (NOT_IN_XML.test(text)) throw new XmlProblem('a text in it has a character that XML cannot carry');
  return text.replace(pattern, (character) => by[character] ?? character);
}
