/**
 * Rules for the query of a request: which parameters stay, under which names, with which values. Parameters that no
 * rule names keep their place and their very bytes. Pure.
 * @module
 */

export interface QueryRules {
  /** Null: all stay. */
  readonly keep: ReadonlySet<string> | null;
  readonly remove: ReadonlySet<string>;
  readonly rename: ReadonlyMap<string, string>;
}

/** A parameter to set; null takes it out. */
export type SetParameter = readonly [name: string, value: string | null];

/**
 * `query` with its `?`, or empty; so is the result. In this order: keep, remove, rename, set. Names are compared
 * unescaped; a set parameter replaces all of its name and stands at the end.
 */
export function applyQueryRules(query: string, rules: QueryRules, set: readonly SetParameter[]): string {
  const replaced = new Set(set.map(([name]) => name));
  const kept: string[] = [];
  for (const parameter of query.slice(1).split('&')) {
    if (parameter === '') continue;
    const equals = parameter.indexOf('=');
    const name = unescaped(equals < 0 ? parameter : parameter.slice(0, equals));
    if ((rules.keep !== null && !rules.keep.has(name)) || rules.remove.has(name)) continue;
    const renamed = rules.rename.get(name);
    if (replaced.has(renamed ?? name)) continue;
    kept.push(
      renamed === undefined
        ? parameter
        : encodeURIComponent(renamed) + (equals < 0 ? '' : parameter.slice(equals)),
    );
  }
  for (const [name, value] of set) {
    if (value !== null) kept.push(`${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`);
  }
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

function unescaped(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
