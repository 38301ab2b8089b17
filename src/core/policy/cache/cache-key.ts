/**
 * The key of a resource: path and query in the form in which the cache tells resources apart. Sorting and leaving
 * out parameters change the key only; the upstream gets the query as sent.
 * @module
 */

export interface QueryKeying {
  /** Parameters of different names may come in any order; equal names keep theirs. */
  readonly sort: boolean;
  /** Names to leave out; a trailing `*` matches any rest. */
  readonly exclude: readonly string[];
}

/** `query` with its `?`, or empty. */
export function compileQueryKey({ sort, exclude }: QueryKeying): (query: string) => string {
  const names = new Set(exclude.filter((name) => !name.endsWith('*')));
  const prefixes = exclude.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const isExcluded = (name: string): boolean =>
    names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
  if (!sort && exclude.length === 0) return (query) => query;
  return (query) => {
    if (query.length < 2) return query;
    let parts = query.slice(1).split('&');
    if (exclude.length > 0) parts = parts.filter((part) => !isExcluded(nameOf(part)));
    if (sort && parts.length > 1) parts.sort((a, b) => compare(nameOf(a), nameOf(b)));
    return parts.length === 0 ? '' : `?${parts.join('&')}`;
  };
}

function nameOf(part: string): string {
  const equals = part.indexOf('=');
  return equals < 0 ? part : part.slice(0, equals);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
