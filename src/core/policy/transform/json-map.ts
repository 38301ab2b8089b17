/**
 * Reshapes JSON values: picks, drops, renames and sets by paths such as `items[*].price`. Pure; never changes the value
 * that it is given a path of beyond what the rules say, and makes no property that JavaScript gives a meaning.
 * @module
 */

import type { JsonPath } from './json-path.ts';
import { type PickTree, treeOf } from './pick-tree.ts';
import { atOnce, type Sliced } from './sliced.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

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
  return atOnce(mapInSlices(value, rules));
}

/** The same, for a value that may be large. */
export function mapInSlices(value: JsonValue, rules: JsonRules): Sliced<JsonValue> {
  return new Mapping().run(value, rules);
}

/** Values that are looked at in one slice: two milliseconds at most. */
const SLICE_VALUES = 4_096;

type Container = JsonValue[] | { [name: string]: JsonValue };

/** A part of the value that is only picked from: what leads on goes from one to the other. */
interface Picking {
  readonly from: Container;
  readonly tree: PickTree;
  readonly to: Container;
}

class Mapping {
  #looked = 0;

  *run(value: JsonValue, rules: JsonRules): Sliced<JsonValue> {
    const mapped = rules.pick === null ? value : yield* this.#pick(value, rules.pick);
    for (const path of rules.drop) {
      const step = path.at(-1);
      for (const parent of yield* this.#parents(mapped, path, false)) {
        if (step !== undefined) drop(parent, step);
        if (this.#endsSlice()) yield;
      }
    }
    for (const { path, to } of rules.rename) {
      const name = path.at(-1)?.name ?? '';
      for (const parent of yield* this.#parents(mapped, path, false)) {
        if (!Array.isArray(parent)) rename(parent, name, to);
        if (this.#endsSlice()) yield;
      }
    }
    for (const { path, value: given } of rules.set)
      if (given !== undefined) yield* this.#set(mapped, path, given);
    return mapped;
  }

  #endsSlice(): boolean {
    this.#looked += 1;
    return this.#looked % SLICE_VALUES === 0;
  }

  /** The parts of `value` that one of the paths leads to; elements of arrays keep their order and close ranks. */
  *#pick(value: JsonValue, paths: readonly JsonPath[]): Sliced<JsonValue> {
    const whole = treeOf(paths);
    if (whole.all || !isContainer(value)) return value;
    const picked = emptyOf(value);
    const open: Picking[] = [{ from: value, tree: whole, to: picked }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { from, tree, to } = next;
      if (!Array.isArray(from) && !Array.isArray(to)) {
        for (const name of tree.names) {
          const inner = Object.hasOwn(from, name) ? from[name] : undefined;
          const below = tree.named(name);
          // A path that goes on below what has no below finds nothing.
          if (inner !== undefined && (below.all || isContainer(inner))) to[name] = taken(inner, below, open);
          if (this.#endsSlice()) yield;
        }
      } else if (Array.isArray(from) && Array.isArray(to)) {
        for (const [index, element] of from.entries()) {
          const below = tree.at(index);
          if (below !== null) to.push(taken(element, below, open));
          if (this.#endsSlice()) yield;
        }
      }
      // There may be nothing in it.
      if (this.#endsSlice()) yield;
    }
    return picked;
  }

  /** What holds the values that the path leads to. `makes`: objects on the way are made when they are missing. */
  *#parents(value: JsonValue, path: JsonPath, makes: boolean): Sliced<readonly Container[]> {
    let level = isContainer(value) ? [value] : [];
    for (const [depth, { kind, name, index }] of path.slice(0, -1).entries()) {
      // Arrays are not made, nor are objects that lead to one.
      const made = makes && path.slice(depth + 1).every((step) => step.kind === 'name');
      const next: Container[] = [];
      for (const parent of level) {
        if (Array.isArray(parent)) {
          const [from, to] = rangeOf(parent, kind, index);
          for (let at = from; at < to; at += 1) {
            const element = parent[at];
            if (isContainer(element)) next.push(element);
            if (this.#endsSlice()) yield;
          }
        } else if (kind === 'name') {
          if (made && !Object.hasOwn(parent, name)) parent[name] = {};
          const inner = Object.hasOwn(parent, name) ? parent[name] : undefined;
          if (isContainer(inner)) next.push(inner);
        }
        if (this.#endsSlice()) yield;
      }
      level = next;
    }
    return level;
  }

  *#set(value: JsonValue, path: JsonPath, given: JsonValue): Sliced<void> {
    const step = path.at(-1);
    if (step === undefined) return;
    for (const parent of yield* this.#parents(value, path, true)) {
      if (!Array.isArray(parent)) {
        if (step.kind === 'name') parent[step.name] = given;
      } else {
        const [from, to] = rangeOf(parent, step.kind, step.index);
        parent.fill(given, from, to);
      }
      if (this.#endsSlice()) yield;
    }
  }
}

/** `value` itself, or what will hold the part of it that is picked. */
function taken(value: JsonValue, tree: PickTree, open: Picking[]): JsonValue {
  if (tree.all || !isContainer(value)) return value;
  const to = emptyOf(value);
  open.push({ from: value, tree, to });
  return to;
}

function drop(parent: Container, { kind, name, index }: JsonPath[number]): void {
  if (Array.isArray(parent)) {
    const [from, to] = rangeOf(parent, kind, index);
    parent.splice(from, to - from);
  } else if (kind === 'name') {
    delete parent[name];
  }
}

function rename(parent: { [name: string]: JsonValue }, name: string, to: string): void {
  if (!Object.hasOwn(parent, name)) return;
  const moved = parent[name];
  delete parent[name];
  if (moved !== undefined) parent[to] = moved;
}

/** From where to where the elements stand that a step leads to. */
function rangeOf(
  list: readonly JsonValue[],
  kind: JsonPath[number]['kind'],
  index: number,
): [number, number] {
  if (kind === 'name') return [0, 0];
  return kind === 'each'
    ? [0, list.length]
    : [Math.min(index, list.length), Math.min(index + 1, list.length)];
}

function isContainer(value: JsonValue | undefined): value is Container {
  return typeof value === 'object' && value !== null;
}

function emptyOf(value: Container): Container {
  return Array.isArray(value) ? [] : {};
}
