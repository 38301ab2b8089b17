/**
 * The methods that are told apart where names have to be few: series, spans and segments. Clients of HTTP/2 may send any
 * other, and a request by one is routed like any.
 * @module
 */

export const KNOWN_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const NAMES: ReadonlySet<string> = new Set(KNOWN_METHODS);

export function isKnownMethod(method: string): boolean {
  return NAMES.has(method);
}
