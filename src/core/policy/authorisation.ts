/**
 * What validated claims entitle to: scopes that a token must have and values that its claims must have.
 * Pure; knows neither tokens nor requests.
 * @module
 */

export type Claims = Readonly<Record<string, unknown>>;

export interface Conditions {
  /** Each of them is needed. */
  readonly all: readonly string[];
  /** One of them is needed; empty: none is. */
  readonly any: readonly string[];
  /** One of the values; `exists`: any value but null. */
  readonly claims: Readonly<Record<string, 'exists' | readonly string[]>>;
}

/** `scope`: one is missing. `claim`: one has no acceptable value. */
export type Refusal = 'scope' | 'claim';

/** Null: nothing is missing. */
export function refusalOf(claims: Claims, { all, any, claims: wanted }: Conditions): Refusal | null {
  if (all.length > 0 || any.length > 0) {
    const scopes = scopesOf(claims);
    if (!all.every((scope) => scopes.has(scope))) return 'scope';
    if (any.length > 0 && !any.some((scope) => scopes.has(scope))) return 'scope';
  }
  for (const [name, values] of Object.entries(wanted)) {
    if (!claimFits(Object.hasOwn(claims, name) ? claims[name] : undefined, values)) return 'claim';
  }
  return null;
}

/** Of `scope` (RFC 8693 §4.2: words parted by spaces) and `scp`; issuers write either as a list or as text. */
export function scopesOf(claims: Claims): ReadonlySet<string> {
  const scopes = new Set<string>();
  for (const name of ['scope', 'scp']) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
    for (const word of words) if (typeof word === 'string' && word !== '') scopes.add(word);
  }
  return scopes;
}

function claimFits(value: unknown, wanted: 'exists' | readonly string[]): boolean {
  if (value === undefined || value === null) return false;
  if (wanted === 'exists') return true;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.some((each) => isScalar(each) && wanted.includes(String(each)));
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
