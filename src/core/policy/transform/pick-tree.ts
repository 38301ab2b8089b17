/**
 * The paths of a `pick` rule as a tree, so that a value is walked once, whatever their number. Pure; knows paths, no
 * values.
 * @module
 */

import type { JsonPath } from './json-path.ts';

/** What the paths say below one place. What is below that is made out when a value has it. */
export class PickTree {
  readonly #paths: readonly JsonPath[];
  readonly #depth: number;
  /** A path ends here: everything below is picked. */
  readonly all: boolean;
  /** In the order of the paths. */
  readonly names: readonly string[];
  readonly #named = new Map<string, PickTree>();
  readonly #indexes: ReadonlySet<number>;
  readonly #indexed = new Map<number, PickTree>();
  readonly #each: PickTree | null;

  constructor(paths: readonly JsonPath[], depth: number) {
    this.#paths = paths;
    this.#depth = depth;
    this.all = paths.some(({ length }) => length === depth);
    const steps = paths.flatMap(({ [depth]: step }) => step ?? []);
    this.names = [...new Set(steps.filter(({ kind }) => kind === 'name').map(({ name }) => name))];
    this.#indexes = new Set(steps.filter(({ kind }) => kind === 'index').map(({ index }) => index));
    this.#each = steps.some(({ kind }) => kind === 'each')
      ? this.#below(({ kind }) => kind === 'each')
      : null;
  }

  #below(leads: (step: JsonPath[number]) => boolean): PickTree {
    const paths = this.#paths.filter(({ [this.#depth]: step }) => step !== undefined && leads(step));
    return new PickTree(paths, this.#depth + 1);
  }

  /** Below the member of that name. */
  named(name: string): PickTree {
    const tree = this.#named.get(name) ?? this.#below((step) => step.kind === 'name' && step.name === name);
    this.#named.set(name, tree);
    return tree;
  }

  /** Below an element of an array; null: no path leads to it. */
  at(index: number): PickTree | null {
    if (this.#indexes.size === 0 || !this.#indexes.has(index)) return this.#each;
    const tree =
      this.#indexed.get(index) ?? this.#below((step) => step.kind === 'each' || step.index === index);
    this.#indexed.set(index, tree);
    return tree;
  }
}

/** The paths of a rule stay the same from request to request. */
const TREES = new WeakMap<readonly JsonPath[], PickTree>();

export function treeOf(paths: readonly JsonPath[]): PickTree {
  const tree = TREES.get(paths) ?? new PickTree(paths, 0);
  TREES.set(paths, tree);
  return tree;
}
