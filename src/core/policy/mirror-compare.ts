/**
 * Where two answers to the same request differ: status, chosen header fields, and the body, of JSON field by field.
 * Knows answers as values; nothing of how they came.
 * @module
 */

/** `text`: compared as a whole. `unknown`: too large, or not to be read; never differs. */
export type MirrorBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unknown' };

export interface MirrorAnswer {
  readonly status: number;
  /** Of the chosen fields, by lower-case name; several values joined. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: MirrorBody;
}

export interface CompareRules {
  /** Lower-case names. */
  readonly fields: readonly string[];
  /** JSON pointers (RFC 6901) whose values do not matter, nor what is below them; `*` stands for any element of a list. */
  readonly ignore: readonly string[];
}

export type DifferenceKind = 'value' | 'type' | 'missing' | 'added' | 'length';

/**
 * By place: `status`, `header content-type`, `body`, or a JSON pointer with `*` for elements of lists. The first
 * difference of a place counts.
 */
export type Differences = Map<string, DifferenceKind>;

const MAX_DIFFERENCES = 64;
const MAX_DEPTH = 32;
const MAX_PLACE_LENGTH = 160;

/** What `other` has different from `first`. */
export function compareAnswers(first: MirrorAnswer, other: MirrorAnswer, rules: CompareRules): Differences {
  const found: Differences = new Map();
  if (first.status !== other.status) found.set('status', 'value');
  for (const name of rules.fields) {
    const kind = differenceOf(first.fields.get(name), other.fields.get(name));
    if (kind !== null) found.set(`header ${name}`, kind);
  }
  if (first.body.kind === 'unknown' || other.body.kind === 'unknown') return found;
  if (first.body.kind === 'json' && other.body.kind === 'json') {
    compareValues(first.body.value, other.body.value, { found, ignore: new Set(rules.ignore) }, '', 0);
  } else if (first.body.kind !== other.body.kind) found.set('body', 'type');
  else if (first.body.kind === 'text' && other.body.kind === 'text' && first.body.text !== other.body.text) {
    found.set('body', 'value');
  }
  return found;
}

interface Search {
  readonly found: Differences;
  readonly ignore: ReadonlySet<string>;
}

function compareValues(first: unknown, other: unknown, search: Search, place: string, depth: number): void {
  if (search.found.size >= MAX_DIFFERENCES || depth > MAX_DEPTH || search.ignore.has(place)) return;
  if (Array.isArray(first) && Array.isArray(other)) {
    if (first.length !== other.length) add(search, place, 'length');
    const shorter = Math.min(first.length, other.length);
    for (let i = 0; i < shorter; i += 1) {
      compareValues(first[i], other[i], search, below(place, '*'), depth + 1);
    }
  } else if (isObject(first) && isObject(other)) {
    for (const key of Object.keys(first)) {
      const at = below(place, escaped(key));
      if (Object.hasOwn(other, key)) compareValues(first[key], other[key], search, at, depth + 1);
      else add(search, at, 'missing');
    }
    for (const key of Object.keys(other)) {
      if (!Object.hasOwn(first, key)) add(search, below(place, escaped(key)), 'added');
    }
  } else if (first !== other) add(search, place, shapeOf(first) === shapeOf(other) ? 'value' : 'type');
}

function add({ found, ignore }: Search, place: string, kind: DifferenceKind): void {
  const name = place === '' ? 'body' : place;
  if (found.size < MAX_DIFFERENCES && !ignore.has(place) && !found.has(name)) found.set(name, kind);
}

/** Places that grow too long are those of their parents. */
function below(place: string, step: string): string {
  const next = `${place}/${step}`;
  return next.length > MAX_PLACE_LENGTH ? place : next;
}

function escaped(key: string): string {
  return key.replace(/~/g, '~0').replace(/\//g, '~1');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shapeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

function differenceOf(first: string | undefined, other: string | undefined): DifferenceKind | null {
  if (first === other) return null;
  if (other === undefined) return 'missing';
  return first === undefined ? 'added' : 'value';
}
