/**
 * Makes a JSON value of a document's elements as a parser tells of them. Pure; knows the declared shape and its limits,
 * no syntax.
 * @module
 */

import type { JsonValue } from './json-map.ts';
import { type QualifiedName, TEXT, type XmlNames, XmlProblem, XSI } from './xml-names.ts';
import type { XmlLimits, XmlNode, XmlType } from './xml-shape.ts';

export interface XmlAttribute extends QualifiedName {
  readonly value: string;
}

/** An element that is not closed yet. */
interface Frame {
  readonly name: string;
  readonly node: XmlNode | undefined;
  /** Null: neither attributes nor elements. No prototype: a document may name its elements as it likes. */
  members: { [name: string]: JsonValue } | null;
  /** Names in `members` that hold an array because they came again. */
  repeated: Set<string> | null;
  list: JsonValue[] | null;
  hasElements: boolean;
  isNil: boolean;
  text: string;
}

const SPACE_ONLY = /^[\t\n\r ]*$/;

/** Throws XmlProblem on what the shape or the limits forbid. */
export class XmlToJson {
  readonly #names: XmlNames;
  readonly #limits: XmlLimits;
  readonly #shape: XmlNode;
  readonly #open: Frame[] = [];
  #elements = 0;
  #root: { readonly name: string; readonly value: JsonValue } | null = null;

  constructor(names: XmlNames, limits: XmlLimits, shape: XmlNode) {
    this.#names = names;
    this.#limits = limits;
    this.#shape = shape;
  }

  /** Null: no element has been closed that had none around it. */
  get root(): { readonly name: string; readonly value: JsonValue } | null {
    return this.#root;
  }

  open(element: QualifiedName, attributes: readonly XmlAttribute[]): void {
    const { maxDepth, maxElements } = this.#limits;
    this.#elements += 1;
    if (this.#elements > maxElements) throw new XmlProblem(`it has more than ${maxElements} elements`);
    if (this.#open.length >= maxDepth)
      throw new XmlProblem(`its elements are nested deeper than ${maxDepth}`);
    const parent = this.#open.at(-1);
    const name = this.#names.element(element);
    const node = parent === undefined ? this.#shape : parent.node?.children.get(name);
    const frame: Frame = {
      name,
      node,
      members: null,
      repeated: null,
      list: node === undefined || node.item === null ? null : [],
      hasElements: false,
      isNil: false,
      text: '',
    };
    for (const attribute of attributes) this.#attribute(frame, attribute);
    this.#open.push(frame);
  }

  #attribute(frame: Frame, attribute: XmlAttribute): void {
    if (attribute.uri === XSI && attribute.local === 'nil') {
      frame.isNil = booleanOf(attribute.value) ?? fail(frame.name, 'has xsi:nil with neither true nor false');
      return;
    }
    const name = this.#names.attribute(attribute, attribute.value);
    if (name === null) return;
    if (frame.list !== null) fail(frame.name, 'is a list, which has no attributes');
    frame.members ??= Object.create(null) as Record<string, JsonValue>;
    frame.members[name] = typed(attribute.value, frame.node?.children.get(name)?.type, name);
  }

  text(text: string): void {
    const frame = this.#open.at(-1);
    if (frame !== undefined) frame.text += text;
  }

  close(): void {
    const frame = this.#open.pop();
    if (frame === undefined) return;
    const value = finished(frame);
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = { name: frame.name, value };
    else add(parent, frame.name, value, frame.node?.array === true);
  }
}

function add(parent: Frame, name: string, value: JsonValue, isArray: boolean): void {
  parent.hasElements = true;
  if (parent.list !== null) {
    if (name !== parent.node?.item)
      fail(parent.name, `is a list of <${parent.node?.item}>, but holds <${name}>`);
    parent.list.push(value);
    return;
  }
  parent.members ??= Object.create(null) as Record<string, JsonValue>;
  const { members } = parent;
  const present = members[name];
  if (present === undefined) {
    members[name] = isArray ? [value] : value;
  } else if (Array.isArray(present) && (isArray || parent.repeated?.has(name) === true)) {
    present.push(value);
  } else {
    members[name] = [present, value];
    parent.repeated ??= new Set();
    parent.repeated.add(name);
  }
}

function finished(frame: Frame): JsonValue {
  const { name, node, members, list, text, hasElements } = frame;
  if (frame.isNil) {
    if (hasElements || text !== '') fail(name, 'has content, though xsi:nil says that it has none');
    return null;
  }
  if (list !== null) {
    if (!SPACE_ONLY.test(text)) fail(name, 'is a list, which has no text');
    return list;
  }
  if (members === null) return typed(text, node?.type, name);
  if (hasElements ? !SPACE_ONLY.test(text) : text !== '') members[TEXT] = typed(text, node?.type, name);
  return members;
}

const NUMBER = /^[\t\n\r ]*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)[\t\n\r ]*$/;

function typed(text: string, type: XmlType | undefined, name: string): JsonValue {
  if (type === undefined || type === 'text') return text;
  if (type === 'boolean') return booleanOf(text) ?? fail(name, 'is neither true nor false');
  const written = NUMBER.exec(text)?.[1];
  const number = written === undefined ? Number.NaN : Number(written);
  return Number.isFinite(number) ? number : fail(name, 'is no number');
}

/** As XML Schema writes it. */
function booleanOf(text: string): boolean | undefined {
  const word = text.trim();
  if (word === 'true' || word === '1') return true;
  return word === 'false' || word === '0' ? false : undefined;
}

const MAX_NAME_IN_MESSAGE = 64;

function fail(name: string, what: string): never {
  throw new XmlProblem(`"${name.slice(0, MAX_NAME_IN_MESSAGE)}" ${what}`);
}
