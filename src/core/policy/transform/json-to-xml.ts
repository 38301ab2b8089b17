/**
 * Writes a JSON value as an XML document. Pure; whatever the value holds, what comes out is well-formed or refused.
 * @module
 */

import type { JsonValue } from './json-map.ts';
import { ATTRIBUTE, escapedName, TEXT, XML, XMLNS, type XmlNames, XmlProblem, XSI } from './xml-names.ts';
import type { XmlLimits, XmlNode } from './xml-shape.ts';

/** Elements of an array in an array, and of one whose list has no other name. */
const ITEM = 'item';
const DECLARES = `${ATTRIBUTE}xmlns:`;
/** Prefix: namespace, as the document has declared them so far. */
type Scope = ReadonlyMap<string, string>;
const NONE: Scope = new Map();
const NOT_IN_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Throws XmlProblem. `root`: name of the document's element. */
export function writeXml(
  value: JsonValue,
  root: string,
  names: XmlNames,
  limits: XmlLimits,
  shape: XmlNode,
): string {
  return new XmlWriter(names, limits).document(root, value, shape);
}

class XmlWriter {
  readonly #names: XmlNames;
  readonly #limits: XmlLimits;
  /** All up to where the root element can still declare something. */
  #head = '';
  #out = '';
  #elements = 0;
  #usesXsi = false;
  #declaresXsi = false;

  constructor(names: XmlNames, limits: XmlLimits) {
    this.#names = names;
    this.#limits = limits;
  }

  document(root: string, value: JsonValue, shape: XmlNode): string {
    this.#out = '<?xml version="1.0" encoding="UTF-8"?>\n';
    this.#element(root, value, shape, NONE, 1);
    const xsi = this.#usesXsi && !this.#declaresXsi ? ` xmlns:xsi="${XSI}"` : '';
    return this.#head + xsi + this.#out;
  }

  #element(name: string, value: JsonValue, node: XmlNode | undefined, around: Scope, depth: number): void {
    const { maxDepth, maxElements, maxBytes } = this.#limits;
    this.#elements += 1;
    if (this.#elements > maxElements) throw new XmlProblem(`it has more than ${maxElements} elements`);
    if (depth > maxDepth) throw new XmlProblem(`it is nested deeper than ${maxDepth}`);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const inScope = isObject ? withDeclared(value, around) : around;
    const written = this.#written(name, inScope);
    this.#out += `<${written}`;
    if (depth === 1) this.#declareNamespaces();
    if (isObject) this.#attributes(value, inScope);
    if (value === null) this.#usesXsi = true;
    this.#out += value === null ? ' xsi:nil="true">' : '>';
    if (isObject) this.#members(value, node, inScope, depth);
    else if (Array.isArray(value)) {
      const item = node?.item ?? ITEM;
      for (const each of value) this.#element(item, each, node?.children.get(item), inScope, depth + 1);
    } else if (value !== null) {
      this.#out += escaped(textOf(value), TEXT_ESCAPES);
    }
    this.#out += `</${written}>`;
    if (this.#head.length + this.#out.length > maxBytes)
      throw new XmlProblem(`it becomes larger than ${maxBytes} bytes`, true);
  }

  /** What the configuration declares is declared once, by the root. */
  #declareNamespaces(): void {
    for (const [prefix, uri] of Object.entries(this.#names.declared ?? {})) {
      this.#out += ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escaped(uri, VALUE_ESCAPES)}"`;
    }
    this.#head = this.#out;
    this.#out = '';
  }

  #attributes(value: { [name: string]: JsonValue }, inScope: Scope): void {
    const { maxAttributes } = this.#limits;
    const seen = new Set<string>();
    let count = 0;
    for (const [name, given] of Object.entries(value)) {
      if (!name.startsWith(ATTRIBUTE) || given === null) continue;
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
      this.#out += ` ${written}="${escaped(textOf(given), VALUE_ESCAPES)}"`;
    }
  }

  /** Returns the name: there is nothing to escape in it. */
  #declaration(name: string, uri: string): string {
    if (this.#names.declared !== null || !isSoundDeclaration(name, uri))
      throw new XmlProblem('it declares a namespace that is not expected here');
    if (name === 'xmlns:xsi') this.#declaresXsi ||= this.#elements === 1;
    return name;
  }

  #members(
    value: { [name: string]: JsonValue },
    node: XmlNode | undefined,
    inScope: Scope,
    depth: number,
  ): void {
    const text = value[TEXT] ?? null;
    if (typeof text === 'object' && text !== null)
      throw new XmlProblem(`"${TEXT}" holds more than one value`);
    if (text !== null) this.#out += escaped(textOf(text), TEXT_ESCAPES);
    for (const [name, given] of Object.entries(value)) {
      if (name === TEXT || name.startsWith(ATTRIBUTE)) continue;
      const child = node?.children.get(name);
      const repeats = Array.isArray(given) && (child === undefined || child.item === null || child.array);
      for (const each of repeats ? given : [given]) this.#element(name, each, child, inScope, depth + 1);
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
function withDeclared(value: { [name: string]: JsonValue }, around: Scope): Scope {
  const own = Object.entries(value).filter(([name, uri]) => name.startsWith(DECLARES) && uri !== null);
  if (own.length === 0) return around;
  return new Map([
    ...around,
    ...own.map(([name, uri]) => [name.slice(DECLARES.length), String(uri)] as const),
  ]);
}

/** A line break of the text has to survive the normalisation that every parser does. */
const TEXT_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\r': '&#13;',
};
const VALUE_ESCAPES: Readonly<Record<string, string>> = {
  ...TEXT_ESCAPES,
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
};

function textOf(value: string | number | boolean): string {
  // JSON text can say 1e999, which no number is.
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new XmlProblem('a number in it is too large');
  return String(value);
}

function escaped(text: string, escapes: Readonly<Record<string, string>>): string {
  if (NOT_IN_XML.test(text)) throw new XmlProblem('a text in it has a character that XML cannot carry');
  return text.replace(/[&<>"\r\t\n]/g, (character) => escapes[character] ?? character);
}
