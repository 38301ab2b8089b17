/**
 * Request fields by which an upstream may know who asks, and what each means for a shared cache. Knows names, no
 * values, and no route.
 * @module
 */

/** `credential`: says who asks, as Authorization does (RFC 9111 §3.5). `key`: may say so, as a cookie may. */
export type CallerField = 'credential' | 'key';

/** Authorization, and client certificates as gateways and proxies tell of them (RFC 9440 and older names). */
const CREDENTIALS: readonly string[] = [
  'authorization',
  'client-cert',
  'client-cert-chain',
  'ssl-client-cert',
  'ssl-client-s-dn',
  'ssl-client-subject-dn',
  'x-amzn-mtls-clientcert',
  'x-amzn-mtls-clientcert-leaf',
  'x-amzn-mtls-clientcert-subject',
  'x-arr-clientcert',
  'x-client-cert-alt-names',
  'x-client-cert-subject',
  'x-forwarded-client-cert',
  'x-forwarded-tls-client-cert',
  'x-forwarded-tls-client-cert-info',
  'x-ssl-cert',
  'x-ssl-client-cert',
  'x-ssl-client-dn',
];

/** Keys and tokens outside Authorization, and what authenticating proxies say of a user. */
const KEYS: readonly string[] = [
  'api-key',
  'apikey',
  'cf-access-jwt-assertion',
  'ocp-apim-subscription-key',
  'private-token',
  'remote-user',
  'x-access-token',
  'x-amzn-oidc-data',
  'x-amzn-oidc-identity',
  'x-api-key',
  'x-api-token',
  'x-apikey',
  'x-auth-key',
  'x-auth-request-email',
  'x-auth-request-user',
  'x-auth-token',
  'x-forwarded-access-token',
  'x-forwarded-email',
  'x-forwarded-user',
  'x-functions-key',
  'x-goog-api-key',
  'x-goog-authenticated-user-email',
  'x-goog-iap-jwt-assertion',
  'x-id-token',
  'x-rapidapi-key',
  'x-remote-user',
  'x-session-id',
  'x-session-token',
  'x-user-token',
  'x-vault-token',
];

/** What a configuration adds to the names that are known everywhere. All in lower case. */
export interface CallerFieldRules {
  /** Fields in which credentials are looked for, on whatever route. */
  readonly keys: readonly string[];
  /** Fields that a route fills from others before the upstream gets them. */
  readonly copies: readonly { readonly field: string; readonly from: readonly string[] }[];
  /** Fields that are part of the cache's key: callers with different values share nothing. */
  readonly inKey: readonly string[];
}

/** By name, as `plainName` writes it. */
export function callerFields({ keys, copies, inKey }: CallerFieldRules): ReadonlyMap<string, CallerField> {
  const fields = new Map<string, CallerField>();
  for (const name of [...KEYS, ...keys]) fields.set(plainName(name), 'key');
  for (const name of CREDENTIALS) fields.set(name, 'credential');
  for (const { field, from } of copies) {
    const kinds = from.map((name) => (name === 'cookie' ? 'key' : fields.get(plainName(name))));
    if (kinds.includes('credential')) fields.set(plainName(field), 'credential');
    else if (kinds.includes('key') && !fields.has(plainName(field))) fields.set(plainName(field), 'key');
  }
  for (const name of inKey) if (fields.get(plainName(name)) === 'key') fields.delete(plainName(name));
  return fields;
}

/** Many servers read X_Api_Key as X-Api-Key: twins are one name. `name` in lower case. */
export function plainName(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}
