/**
 * Where the routes of one host are: by exact path, template and prefix, with those that look at fields before the others.
 * Built once per configuration; knows how routes are laid down, not how they are found.
 * @module
 */

import type { PathMatch } from '../config/gateway-model.ts';
import { conditionsKey, fieldOfCondition, type RouteCondition } from '../core/policy/route-condition.ts';

export interface Routable {
  /** Null: all methods. GET includes HEAD. */
  readonly methods: readonly string[] | null;
  /** Lower case without port; null: any host. */
  readonly host: string | null;
  readonly path: PathMatch;
  readonly conditions: readonly RouteCondition[];
}

/** Routes that share host and path; told apart by method. */
export interface Methods<R> {
  readonly byMethod: Map<string, R>;
  anyMethod: R | null;
}

export interface Entry<R> extends Methods<R> {
  /** Routes with conditions, the ones with most first; null: none. */
  conditional: ConditionalRoutes<R>[] | null;
  /** Fields that those look at. */
  vary: readonly string[];
}

/** Routes with the same conditions. */
export interface ConditionalRoutes<R> extends Methods<R> {
  readonly key: string;
  readonly conditions: readonly RouteCondition[];
}

export interface TemplateNode<R> {
  readonly literals: Map<string, TemplateNode<R>>;
  parameter: TemplateNode<R> | null;
  entry: Entry<R> | null;
}

export interface Table<R> {
  readonly exact: Map<string, Entry<R>>;
  readonly templates: TemplateNode<R>;
  hasTemplates: boolean;
  readonly prefixes: Map<string, Entry<R>>;
}

export function emptyTable<R>(): Table<R> {
  return { exact: new Map(), templates: emptyNode(), hasTemplates: false, prefixes: new Map() };
}

function emptyNode<R>(): TemplateNode<R> {
  return { literals: new Map(), parameter: null, entry: null };
}

function emptyEntry<R>(): Entry<R> {
  return { byMethod: new Map(), anyMethod: null, conditional: null, vary: [] };
}

function entryOf<R>(table: Table<R>, match: PathMatch): Entry<R> {
  switch (match.kind) {
    case 'exact':
      return entryAt(table.exact, match.path);
    case 'prefix':
      return entryAt(table.prefixes, match.path.replace(/\/$/, ''));
    case 'template': {
      table.hasTemplates = true;
      let node = table.templates;
      for (const segment of match.path.slice(1).split('/')) node = childOf(node, segment);
      node.entry ??= emptyEntry();
      return node.entry;
    }
  }
}

function entryAt<R>(entries: Map<string, Entry<R>>, path: string): Entry<R> {
  const entry = entries.get(path) ?? emptyEntry<R>();
  entries.set(path, entry);
  return entry;
}

function childOf<R>(node: TemplateNode<R>, segment: string): TemplateNode<R> {
  if (/^\{.*\}$/.test(segment)) {
    node.parameter ??= emptyNode();
    return node.parameter;
  }
  const child = node.literals.get(segment) ?? emptyNode<R>();
  node.literals.set(segment, child);
  return child;
}

/** Of two routes with the same host, path and method, the first stays. */
export function addRoute<R extends Routable>(table: Table<R>, route: R): void {
  const entry = entryOf(table, route.path);
  const { conditions } = route;
  if (conditions.length === 0) {
    addMethods(entry, route);
    return;
  }
  const key = conditionsKey(conditions);
  const known = entry.conditional ?? [];
  const same = known.find((each) => each.key === key);
  const group = same ?? { key, conditions, byMethod: new Map(), anyMethod: null };
  addMethods(group, route);
  if (same !== undefined) return;
  // Sorting is stable: with as many conditions, the first in the file goes first.
  entry.conditional = [...known, group].sort((a, b) => b.conditions.length - a.conditions.length);
  entry.vary = [...new Set([...entry.vary, ...conditions.map(fieldOfCondition)])];
}

function addMethods<R extends Routable>(entry: Methods<R>, route: R): void {
  if (route.methods === null) {
    entry.anyMethod ??= route;
    return;
  }
  for (const method of route.methods) {
    if (!entry.byMethod.has(method)) entry.byMethod.set(method, route);
  }
}
