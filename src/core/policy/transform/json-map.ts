/**
 * Reshapes JSON values: picks, drops, renames and sets by paths such as `items[*].price`. Pure; never changes the value
 * that it is given a path of beyond what the rules say, and makes no property that JavaScript gives a meaning.
 * @module
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** Each step: a property, an index, or every element of an array. */
export type JsonPath = readonly {
  readonly kind: 'name' | 'index' | 'each';
  readonly name: string;
  readonly index: number;
}[];

const NAME = /^[^.[\]]+/;
const BRACKET = /^\[(\*|\d{1,6})\]/;

/** Undefined when it is no path: names parted by dots, `[0]` and `[*]`. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const path: JsonPath[number][] = [];
  let rest = text;
  while (rest !== '') {
    const bracket = BRACKET.exec(rest);
    if (bracket !== null) {
      const [whole, inner = ''] = bracket;
      path.push({
        kind: inner === '*' ? 'each' : 'index',
        name: '',
        index: inner === '*' ? -1 : Number(inner),
      });
      rest = rest.slice(whole.length);
    } else {
      if (path.length > 0) {
        if (!rest.startsWith('.')) return undefined;
        rest = rest.slice(1);
      }
      const name = NAME.exec(rest)?.[0];
      if (name === undefined || name === '__proto__') return undefined;
      path.push({ kind: 'name', name, index: -1 });
      rest = rest.slice(name.length);
    }
  }
  return path.length === 0 ? undefined : path;
}

export interface JsonRules {
  /** Null: everything stays. */
  readonly pick: readonly JsonPath[] | null;
  readonly drop: readonly JsonPath[];
  /** The last step is a name. */
  readonly rename: readonly { readonly path: JsonPath; readonly to: string }[];
  /** Undefined as a value: nothing is set. */
  readonly set: readonly { readonly path: JsonPath; readonly value: JsonValue | undefined }[];
}

/** In this order: pick, drop, rename, set. What a path does not find is left alone. May reuse and change `value`. */
export function mapJson(value: JsonValue, rules: JsonRules): JsonValue {
  let mapped = value;
  if (rules.pick !== null) mapped = picked(value, rules.pick, 0);
  for (const path of rules.drop) {
    eachParent(mapped, path, (parent, { name }, index) => {
      if (Array.isArray(parent)) parent.splice(index, 1);
      else delete parent[name];
    });
  }
  for (const { path, to } of rules.rename) {
    eachParent(mapped, path, (parent, { name }) => {
      if (Array.isArray(parent)) return;
      const moved = parent[name];
      delete parent[name];
      if (moved !== undefined) parent[to] = moved;
    });
  }
  for (const { path, value: given } of rules.set) if (given !== undefined) setAt(mapped, path, given);
  return mapped;
}

/** The parts of `value` that one of the paths leads to; elements of arrays keep their order and close ranks. */
function picked(value: JsonValue, paths: readonly JsonPath[], depth: number): JsonValue {
  if (paths.some((path) => path.length === depth)) return value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept: JsonValue[] = [];
    for (const [index, element] of value.entries()) {
      const leading = paths.filter(({ [depth]: step }) => step?.kind === 'each' || step?.index === index);
      if (leading.length > 0) kept.push(picked(element, leading, depth + 1));
    }
    return kept;
  }
  const kept: { [name: string]: JsonValue } = {};
  for (const name of new Set(
    paths
      .map((path) => path[depth])
      .filter((step) => step?.kind === 'name')
      .map((step) => step?.name ?? ''),
  )) {
    const inner = Object.hasOwn(value, name) ? value[name] : undefined;
    if (inner === undefined) continue;
    const leading = paths.filter(({ [depth]: step }) => step?.kind === 'name' && step.name === name);
    // A path that goes on below what has no below finds nothing.
    const ends = leading.some((path) => path.length === depth + 1);
    if (ends || (typeof inner === 'object' && inner !== null)) kept[name] = picked(inner, leading, depth + 1);
  }
  return kept;
}

type Container = JsonValue[] | { [name: string]: JsonValue };

/** Calls back with each object or array that holds what the path leads to, and its key there. */
function eachParent(
  value: JsonValue | undefined,
  path: JsonPath,
  visit: (parent: Container, step: JsonPath[number], index: number) => void,
  depth = 0,
): void {
  const step = path[depth];
  if (step === undefined || typeof value !== 'object' || value === null) return;
  const last = depth === path.length - 1;
  if (Array.isArray(value)) {
    if (step.kind === 'name') return;
    const from = step.kind === 'index' ? Math.min(step.index, value.length - 1) : value.length - 1;
    const to = step.kind === 'index' ? step.index : 0;
    // From the end, because a visit may take elements out.
    for (let index = from; index >= to; index -= 1) {
      if (last) visit(value, step, index);
      else eachParent(value[index], path, visit, depth + 1);
    }
  } else if (step.kind === 'name' && Object.hasOwn(value, step.name)) {
    if (last) visit(value, step, -1);
    else eachParent(value[step.name], path, visit, depth + 1);
  }
}

/** Objects on the way are made when they are missing, arrays are not: nor are objects that lead to one. */
function setAt(value: JsonValue, path: JsonPath, given: JsonValue, depth = 0): void {
  const step = path[depth];
  if (step === undefined || typeof value !== 'object' || value === null) return;
  const last = depth === path.length - 1;
  if (Array.isArray(value)) {
    if (step.kind === 'name') return;
    const from = step.kind === 'index' ? step.index : 0;
    const to = step.kind === 'index' ? Math.min(step.index + 1, value.length) : value.length;
    for (let index = from; index < to; index += 1) {
      const element = value[index];
      if (last) value[index] = given;
      else if (element !== undefined) setAt(element, path, given, depth + 1);
    }
    return;
  }
  if (step.kind !== 'name') return;
  if (last) {
    value[step.name] = given;
    return;
  }
  const leads = path.slice(depth + 1).every(({ kind }) => kind === 'name');
  if (leads && !Object.hasOwn(value, step.name)) value[step.name] = {};
  const inner = Object.hasOwn(value, step.name) ? value[step.name] : undefined;
  if (inner !== undefined) setAt(inner, path, given, depth + 1);
}
