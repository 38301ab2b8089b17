/**
 * Finds the route of a request: host-specific before any host; then exact path, template, longest prefix.
 * Compiled once per configuration into maps; knows nothing of what a route does.
 * @module
 */

import type { PathMatch } from '../config/gateway-model.ts';

export interface Routable {
  /** Null: all methods. GET includes HEAD. */
  readonly methods: readonly string[] | null;
  /** Lower case without port; null: any host. */
  readonly host: string | null;
  readonly path: PathMatch;
}

export type RouteResult<R> =
  | { readonly kind: 'found'; readonly route: R }
  | { readonly kind: 'unknown' }
  /** Methods of the routes that match host and path, sorted. */
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] };

export type Router<R> = (method: string, host: string, path: string) => RouteResult<R>;

/** Routes that share host and path; told apart by method. */
interface Entry<R> {
  readonly byMethod: Map<string, R>;
  anyMethod: R | null;
}

interface TemplateNode<R> {
  readonly literals: Map<string, TemplateNode<R>>;
  parameter: TemplateNode<R> | null;
  entry: Entry<R> | null;
}

interface Table<R> {
  readonly exact: Map<string, Entry<R>>;
  readonly templates: TemplateNode<R>;
  hasTemplates: boolean;
  readonly prefixes: Map<string, Entry<R>>;
}

const UNKNOWN = { kind: 'unknown' } as const;

/** Compiles routes. Of two routes with the same host, path and method, the first wins (the loader refuses them). */
export function compileRouter<R extends Routable>(routes: readonly R[]): Router<R> {
  const anyHost = emptyTable<R>();
  const hosts = new Map<string, Table<R>>();
  const found = new Map<R, RouteResult<R>>();
  for (const route of routes) {
    found.set(route, { kind: 'found', route });
    const table = route.host === null ? anyHost : (hosts.get(route.host) ?? emptyTable<R>());
    if (route.host !== null) hosts.set(route.host, table);
    addMethods(entryOf(table, route.path), route);
  }
  return (method, host, path) => {
    const allow = new AllowedMethods();
    const hostTable = hosts.size === 0 ? undefined : hosts.get(host);
    const route =
      (hostTable && search(hostTable, method, path, allow)) ?? search(anyHost, method, path, allow);
    if (route !== undefined) return found.get(route) ?? UNKNOWN;
    return allow.methods.length === 0 ? UNKNOWN : { kind: 'method-not-allowed', allow: allow.sorted() };
  };
}

class AllowedMethods {
  methods: string[] = [];

  sorted(): string[] {
    return [...new Set(this.methods)].sort();
  }
}

function emptyTable<R>(): Table<R> {
  return { exact: new Map(), templates: emptyNode(), hasTemplates: false, prefixes: new Map() };
}

function emptyNode<R>(): TemplateNode<R> {
  return { literals: new Map(), parameter: null, entry: null };
}

function emptyEntry<R>(): Entry<R> {
  return { byMethod: new Map(), anyMethod: null };
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

function addMethods<R extends Routable>(entry: Entry<R>, route: R): void {
  if (route.methods === null) {
    entry.anyMethod ??= route;
    return;
  }
  for (const method of route.methods) {
    if (!entry.byMethod.has(method)) entry.byMethod.set(method, route);
  }
}

function search<R>(table: Table<R>, method: string, path: string, allow: AllowedMethods): R | undefined {
  const exact = table.exact.get(path);
  const route = exact && pick(exact, method, allow);
  if (route !== undefined) return route;
  if (table.hasTemplates) {
    const templated = searchTemplates(table.templates, path, 1, method, allow);
    if (templated !== undefined) return templated;
  }
  return table.prefixes.size === 0 ? undefined : searchPrefixes(table.prefixes, path, method, allow);
}

/** Literal segments before parameters, left to right, with a way back. */
function searchTemplates<R>(
  node: TemplateNode<R>,
  path: string,
  start: number,
  method: string,
  allow: AllowedMethods,
): R | undefined {
  const slash = path.indexOf('/', start);
  const end = slash < 0 ? path.length : slash;
  const literal = node.literals.size === 0 ? undefined : node.literals.get(path.slice(start, end));
  const parameter = end > start ? node.parameter : null;
  if (slash < 0) {
    return (
      (literal?.entry ? pick(literal.entry, method, allow) : undefined) ??
      (parameter?.entry ? pick(parameter.entry, method, allow) : undefined)
    );
  }
  return (
    (literal && searchTemplates(literal, path, end + 1, method, allow)) ??
    (parameter ? searchTemplates(parameter, path, end + 1, method, allow) : undefined)
  );
}

/** From the longest prefix, which is the path itself, to the shortest, which is the empty one. */
function searchPrefixes<R>(
  prefixes: Map<string, Entry<R>>,
  path: string,
  method: string,
  allow: AllowedMethods,
): R | undefined {
  for (let end = path.length; end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
    const entry = prefixes.get(path.slice(0, end));
    const route = entry && pick(entry, method, allow);
    if (route !== undefined) return route;
  }
  return undefined;
}

function pick<R>(entry: Entry<R>, method: string, allow: AllowedMethods): R | undefined {
  const route =
    entry.byMethod.get(method) ??
    (method === 'HEAD' ? entry.byMethod.get('GET') : undefined) ??
    entry.anyMethod ??
    undefined;
  if (route === undefined) {
    for (const allowed of entry.byMethod.keys()) allow.methods.push(allowed);
    if (entry.byMethod.has('GET')) allow.methods.push('HEAD');
  }
  return route;
}
