/**
 * What a document says that XML itself does not: which elements repeat, which hold a list, which are numbers. Pure data,
 * by the place of an element below the root.
 * @module
 */

/** `text`: as written. The others are read strictly. */
export type XmlType = 'text' | 'number' | 'boolean';

/** Of one element, or of one attribute (whose name here begins with `@`). */
export interface XmlNode {
  /** It is an array even when there is one. */
  readonly array: boolean;
  /** Name of the elements that it holds as a list; null: it is none. */
  readonly item: string | null;
  readonly type: XmlType;
  readonly children: ReadonlyMap<string, XmlNode>;
}

/** By paths such as `lines/line/@qty`; `.` is the root. */
export interface ShapeRules {
  readonly arrays: readonly string[];
  readonly lists: Readonly<Record<string, string>>;
  readonly types: Readonly<Record<string, XmlType>>;
}

export interface XmlLimits {
  /** Of the text in either form. */
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
  /** Of one element, declarations of namespaces included. */
  readonly maxAttributes: number;
}

interface Growing {
  array: boolean;
  item: string | null;
  type: XmlType;
  readonly children: Map<string, Growing>;
}

export function shapeOf({ arrays, lists, types }: ShapeRules): XmlNode {
  const root = growing();
  for (const path of arrays) nodeAt(root, path).array = true;
  for (const [path, item] of Object.entries(lists)) nodeAt(root, path).item = item;
  for (const [path, type] of Object.entries(types)) nodeAt(root, path).type = type;
  return root;
}

function growing(): Growing {
  return { array: false, item: null, type: 'text', children: new Map() };
}

function nodeAt(root: Growing, path: string): Growing {
  let node = root;
  for (const name of path === '.' ? [] : path.split('/')) {
    const next = node.children.get(name) ?? growing();
    node.children.set(name, next);
    node = next;
  }
  return node;
}
