/**
 * Finds the route of a request: host-specific before any host; then exact path, template, longest prefix; then by
 * conditions on fields. Searches tables that are built once per configuration; knows nothing of what a route does.
 * @module
 */

import { conditionHolds, fieldOfCondition, type RouteCondition } from '../core/policy/route-condition.ts';
import {
  addRoute,
  type ConditionalRoutes,
  type Entry,
  emptyTable,
  type Methods,
  type Routable,
  type Table,
  type TemplateNode,
} from './route-table.ts';

/** `vary`: request fields, lower case, that the choice depended on; null: none. */
export type RouteResult<R> =
  | { readonly kind: 'found'; readonly route: R; readonly vary: readonly string[] | null }
  | { readonly kind: 'unknown'; readonly vary: readonly string[] | null }
  /** Methods of the routes that match host and path, sorted. */
  | {
      readonly kind: 'method-not-allowed';
      readonly allow: readonly string[];
      readonly vary: readonly string[] | null;
    };

/** Where the fields of a request are; read only where a route has conditions. */
export interface FieldSource {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** `fields` null: nobody knows them yet; routes without conditions go first then, and others match by path. */
export type Router<R> = (
  method: string,
  host: string,
  path: string,
  fields: FieldSource | null,
) => RouteResult<R>;

const UNKNOWN = { kind: 'unknown', vary: null } as const;

/** Compiles routes. Of two routes with the same host, path and method, the first wins (the loader refuses them). */
export function compileRouter<R extends Routable>(routes: readonly R[]): Router<R> {
  const anyHost = emptyTable<R>();
  const hosts = new Map<string, Table<R>>();
  const found = new Map<R, RouteResult<R>>();
  for (const route of routes) {
    found.set(route, { kind: 'found', route, vary: null });
    const table = route.host === null ? anyHost : (hosts.get(route.host) ?? emptyTable<R>());
    if (route.host !== null) hosts.set(route.host, table);
    addRoute(table, route);
  }
  return (method, host, path, fields) => {
    const seek = new Search(fields);
    const hostTable = hosts.size === 0 ? undefined : hosts.get(host);
    const route = (hostTable && search(hostTable, method, path, seek)) ?? search(anyHost, method, path, seek);
    const { vary } = seek;
    if (route !== undefined) {
      return vary === null ? (found.get(route) ?? UNKNOWN) : { kind: 'found', route, vary };
    }
    if (seek.methods.length > 0) return { kind: 'method-not-allowed', allow: seek.sorted(), vary };
    return vary === null ? UNKNOWN : { kind: 'unknown', vary };
  };
}

/** What one search has seen on its way. */
class Search {
  readonly fields: FieldSource | null;
  /** Of routes that would match but for the method. */
  methods: string[] = [];
  vary: string[] | null = null;

  constructor(fields: FieldSource | null) {
    this.fields = fields;
  }

  sorted(): string[] {
    return [...new Set(this.methods)].sort();
  }

  dependsOn(names: readonly string[]): void {
    this.vary = [...new Set([...(this.vary ?? []), ...names])];
  }
}

function search<R>(table: Table<R>, method: string, path: string, seek: Search): R | undefined {
  const exact = table.exact.get(path);
  const route = exact && pick(exact, method, seek);
  if (route !== undefined) return route;
  if (table.hasTemplates) {
    const templated = searchTemplates(table.templates, path, 1, method, seek);
    if (templated !== undefined) return templated;
  }
  return table.prefixes.size === 0 ? undefined : searchPrefixes(table.prefixes, path, method, seek);
}

/** Literal segments before parameters, left to right, with a way back. */
function searchTemplates<R>(
  node: TemplateNode<R>,
  path: string,
  start: number,
  method: string,
  seek: Search,
): R | undefined {
  const slash = path.indexOf('/', start);
  const end = slash < 0 ? path.length : slash;
  const literal = node.literals.size === 0 ? undefined : node.literals.get(path.slice(start, end));
  const parameter = end > start ? node.parameter : null;
  if (slash < 0) {
    return (
      (literal?.entry ? pick(literal.entry, method, seek) : undefined) ??
      (parameter?.entry ? pick(parameter.entry, method, seek) : undefined)
    );
  }
  return (
    (literal && searchTemplates(literal, path, end + 1, method, seek)) ??
    (parameter ? searchTemplates(parameter, path, end + 1, method, seek) : undefined)
  );
}

/** From the longest prefix, which is the path itself, to the shortest, which is the empty one. */
function searchPrefixes<R>(
  prefixes: Map<string, Entry<R>>,
  path: string,
  method: string,
  seek: Search,
): R | undefined {
  for (let end = path.length; end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
    const entry = prefixes.get(path.slice(0, end));
    const route = entry && pick(entry, method, seek);
    if (route !== undefined) return route;
  }
  return undefined;
}

function pick<R>(entry: Entry<R>, method: string, seek: Search): R | undefined {
  if (entry.conditional === null) return pickMethod(entry, method, seek);
  return pickConditional(entry, entry.conditional, method, seek);
}

function pickConditional<R>(
  entry: Entry<R>,
  conditional: readonly ConditionalRoutes<R>[],
  method: string,
  seek: Search,
): R | undefined {
  seek.dependsOn(entry.vary);
  const { fields } = seek;
  if (fields === null) {
    const plain = pickMethod(entry, method, seek);
    if (plain !== undefined) return plain;
  }
  for (const group of conditional) {
    if (fields !== null && !group.conditions.every((each) => holds(each, fields))) continue;
    const route = pickMethod(group, method, seek);
    if (route !== undefined) return route;
  }
  return fields === null ? undefined : pickMethod(entry, method, seek);
}

function holds(condition: RouteCondition, { headers }: FieldSource): boolean {
  const name = fieldOfCondition(condition);
  const sent = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return conditionHolds(condition, typeof sent === 'object' ? sent.join(', ') : sent);
}

function pickMethod<R>(routes: Methods<R>, method: string, seek: Search): R | undefined {
  const route =
    routes.byMethod.get(method) ??
    (method === 'HEAD' ? routes.byMethod.get('GET') : undefined) ??
    routes.anyMethod ??
    undefined;
  if (route === undefined) {
    for (const allowed of routes.byMethod.keys()) seek.methods.push(allowed);
    if (routes.byMethod.has('GET')) seek.methods.push('HEAD');
  }
  return route;
}
