/**
 * The methods that are told apart where names have to be few: series, spans and segments. Clients of HTTP/2 may send others,
 * and a request by one is routed like any, if all servers read the same one.
 * @module
 */

export const KNOWN_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const NAMES: ReadonlySet<string> = new Set(KNOWN_METHODS);

export function isKnownMethod(method: string): boolean {
  return NAMES.has(method);
}

/** Names are case-sensitive (RFC 9110 §9.1), but not everybody thinks so: `get` could get past what is said of `GET`. */
const PLAIN = /^[A-Z][A-Z0-9-]{0,31}$/;

/** Whether everybody reads the same method. HTTP/1.1 has others refused by Node's parser. */
export function isPlainMethod(method: string): boolean {
  return NAMES.has(method) || PLAIN.test(method);
}
