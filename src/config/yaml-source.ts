/**
 * Parses one YAML file to plain data, and finds the place of every key and value in its text.
 * Knows YAML and its limits (size, aliases, one document); nothing of what the file should contain.
 * @module
 */

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { type ConfigFile, createFindings, type Findings, type TextRange } from './findings.ts';
import { type ScalarStyle, scalarRange } from './scalar-offsets.ts';
import { PARSE_OPTIONS, reportYamlErrors } from './yaml-errors.ts';

/** Keys and indices from the root. */
export type Path = readonly PropertyKey[];

export interface YamlSource {
  readonly file: ConfigFile;
  readonly findings: Findings;
  /** Plain objects, arrays and scalars. */
  readonly value: unknown;
  /** Of the key at the end of `path`; for an item of a list or a missing key, the nearest thing that is there. */
  keyRange(path: Path): TextRange;
  /** Of the value at `path`; of its key when the value is empty. */
  valueRange(path: Path): TextRange;
  /** Of a part of the string at `path`. */
  partRange(path: Path, offset: number, length: number): TextRange;
}

/** Largest configuration file, UTF-16 units. */
export const MAX_TEXT_LENGTH = 1_048_576;
const MAX_ALIASES = 100;

/** `value` of the result is undefined when the text cannot be understood; the findings then say why. */
export function parseYaml(file: ConfigFile): YamlSource {
  const findings = createFindings(file);
  const start = { start: 0, end: 0 };
  if (file.text.length > MAX_TEXT_LENGTH) {
    findings.error(
      start,
      `expected a file of at most 1 MiB, got ${(file.text.length / 1_048_576).toFixed(1)} MiB`,
    );
    return unreadable(file, findings);
  }
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(file.text, PARSE_OPTIONS);
    const broken = reportYamlErrors(file.text, findings, document);
    if (broken) return unreadable(file, findings);
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const aliases = error instanceof ReferenceError;
    findings.error(
      start,
      aliases
        ? `aliases (*name) in this file stand for more than ${MAX_ALIASES} times their size`
        : 'this YAML is nested too deeply',
    );
    return unreadable(file, findings);
  }
  if (value === null || value === undefined) {
    findings.error(start, 'the file is empty');
    return unreadable(file, findings);
  }
  return locate(file, findings, document, value);
}

function unreadable(file: ConfigFile, findings: Findings): YamlSource {
  const nowhere = (): TextRange => ({ start: 0, end: 0 });
  return { file, findings, value: undefined, keyRange: nowhere, valueRange: nowhere, partRange: nowhere };
}

function locate(file: ConfigFile, findings: Findings, document: Document.Parsed, value: unknown): YamlSource {
  const valueRange = (path: Path): TextRange => {
    const found = find(document, path);
    const range = found.exact && found.value ? rangeOf(file.text, found.value) : undefined;
    if (range && range.end > range.start) return range;
    return found.key
      ? (rangeOf(file.text, found.key) ?? range ?? firstToken(file.text))
      : (range ?? firstToken(file.text));
  };
  return {
    file,
    findings,
    value,
    valueRange,
    keyRange(path) {
      const found = find(document, path);
      const key = found.key ? rangeOf(file.text, found.key) : undefined;
      return key ?? firstKey(file.text, found.value) ?? firstToken(file.text);
    },
    partRange(path, offset, length) {
      const { value: node } = find(document, path);
      const range = node && rangeOf(file.text, node);
      if (!range || !isScalar(node) || typeof node.value !== 'string') return valueRange(path);
      return scalarRange(file.text, range, styleOf(node), node.value, offset, length);
    },
  };
}

interface Found {
  /** Key node of the last step that exists; null for items of lists and the root. */
  readonly key: Node | null;
  readonly value: Node | null;
  /** Whether every step of the path exists. */
  readonly exact: boolean;
}

function find(document: Document.Parsed, path: Path): Found {
  let node: Node | null = resolved(document, document.contents);
  let key: Node | null = null;
  for (const step of path) {
    if (isMap(node)) {
      const pair = pairsOf(node).get(String(step));
      if (!pair) return { key, value: node, exact: false };
      key = isNode(pair.key) ? pair.key : null;
      node = isNode(pair.value) ? resolved(document, pair.value) : null;
    } else if (isSeq(node) && typeof step === 'number') {
      const item: unknown = node.items[step];
      if (!isNode(item)) return { key, value: node, exact: false };
      key = null;
      node = resolved(document, item);
    } else {
      return { key, value: node, exact: false };
    }
  }
  return { key, value: node, exact: true };
}

/** A map with thousands of mistakes is searched thousands of times. */
const pairsByMap = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = pairsByMap.get(map);
  if (known) return known;
  const pairs = new Map(map.items.map((pair) => [keyText(pair), pair]));
  pairsByMap.set(map, pairs);
  return pairs;
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function resolved(document: Document.Parsed, node: Node | null): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node;
}

/** Without trailing white space, which block collections own. */
function rangeOf(text: string, node: Node): TextRange | undefined {
  if (!node.range) return undefined;
  const [start, valueEnd] = node.range;
  let end = valueEnd;
  while (end > start && /\s/.test(text[end - 1] ?? '')) end--;
  return { start, end };
}

function firstKey(text: string, node: Node | null): TextRange | undefined {
  if (isMap(node)) {
    const key = node.items[0]?.key;
    if (isNode(key)) return rangeOf(text, key);
  }
  return node ? rangeOf(text, node) : undefined;
}

function firstToken(text: string): TextRange {
  const start = text.search(/\S/);
  return start < 0 ? { start: 0, end: 0 } : { start, end: start + 1 };
}

function styleOf(node: Scalar): ScalarStyle {
  switch (node.type) {
    case 'QUOTE_SINGLE':
      return 'single-quoted';
    case 'QUOTE_DOUBLE':
      return 'double-quoted';
    case 'BLOCK_FOLDED':
    case 'BLOCK_LITERAL':
      return 'block';
    default:
      return 'plain';
  }
}
