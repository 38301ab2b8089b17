/**
 * Which stored variant answers a request: Vary (RFC 9111 §4.1). Owns the normal form in which field values are
 * compared; knows no store.
 * @module
 */

/** Names in lower case that Vary lists, sorted, each once. */
export function varyNames(vary: string): string[] {
  if (vary === '') return [];
  const names = vary.split(',').map((name) => name.trim().toLowerCase());
  return [...new Set(names)].filter((name) => name !== '').sort();
}

/**
 * The values of the named request fields in normal form, as one string: equal exactly when a stored response may
 * be selected. `read` gives all lines of a field joined by `, `, undefined when it is absent.
 */
export function varyKey(names: readonly string[], read: (name: string) => string | undefined): string {
  let key = '';
  for (const name of names) {
    const value = read(name);
    key += value === undefined ? '-\n' : `+${normalised(name, value)}\n`;
  }
  return key;
}

/** Case never matters in these (RFC 9110 §12.5.3, §12.5.4). */
const CASELESS: ReadonlySet<string> = new Set(['accept-language', 'accept-encoding', 'accept-charset']);

/** White space beside commas and at the ends never matters in a list; inside quotes it does. */
function normalised(name: string, value: string): string {
  const spaced = value.includes('"') ? value : value.replace(/[ \t]*,[ \t]*/g, ',');
  const trimmed = spaced.trim();
  return CASELESS.has(name) ? trimmed.toLowerCase() : trimmed;
}
