/**
 * The query of a resource: the form in which the cache tells resources apart, and what of it the upstream is told. What
 * makes no difference to the key must make none to the response.
 * @module
 */

export interface QueryKeying {
  /** Parameters of different names may come in any order; equal names keep theirs. */
  readonly sort: boolean;
  /** Names to leave out; a trailing `*` matches any rest. */
  readonly exclude: readonly string[];
}

/**
 * Some servers part parameters at `;` too: `utm_id=1;page=2` has a page there. Such a query counts as it is.
 */
const OTHER_SEPARATOR = ';';

/** `query` with its `?`, or empty. */
export function compileQueryKey({ sort, exclude }: QueryKeying): (query: string) => string {
  if (!sort && exclude.length === 0) return (query) => query;
  const isKept = compileKept(exclude);
  return (query) => {
    if (query.length < 2 || query.includes(OTHER_SEPARATOR)) return query;
    const parts = query.slice(1).split('&').filter(isKept);
    if (sort && parts.length > 1) parts.sort((a, b) => compare(decodedName(a), decodedName(b)));
    return parts.length === 0 ? '' : `?${parts.join('&')}`;
  };
}

/** The query without what the key leaves out, otherwise as sent. Null: nothing is left out. */
export function compileQueryRest(exclude: readonly string[]): ((query: string) => string) | null {
  return exclude.length === 0 ? null : compileQueryKey({ sort: false, exclude });
}

function compileKept(exclude: readonly string[]): (part: string) => boolean {
  const names = new Set(exclude.filter((name) => !name.endsWith('*')));
  const prefixes = exclude.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  return (part) => {
    const name = nameOf(part);
    return !names.has(name) && !prefixes.some((prefix) => name.startsWith(prefix));
  };
}

function nameOf(part: string): string {
  const equals = part.indexOf('=');
  return equals < 0 ? part : part.slice(0, equals);
}

/** `%69d` and `id` are one name to who reads them, so their order matters. */
function decodedName(part: string): string {
  const name = nameOf(part);
  if (!name.includes('%') && !name.includes('+')) return name;
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
