/**
 * Cross-origin rules (the CORS protocol of the Fetch standard): which origins may read, and what a preflight is
 * told. Pure; knows fields by name and value only.
 * @module
 */

export interface CorsPolicy {
  /** Every origin, without credentials. */
  readonly any: boolean;
  /** Origins as browsers write them: scheme, host in lower case, port unless it is the scheme's own. */
  readonly exact: ReadonlySet<string>;
  /** `https://` with `.shop.example`: any host below it, not the host itself. */
  readonly below: readonly { readonly scheme: string; readonly suffix: string }[];
  /** Upper case. */
  readonly methods: readonly string[];
  /** Lower case; null: whatever is asked for. */
  readonly headers: ReadonlySet<string> | null;
  readonly expose: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeS: number;
}

const LABELS = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

export function allowsOrigin(policy: CorsPolicy, origin: string): boolean {
  if (policy.any || policy.exact.has(origin)) return true;
  return policy.below.some(({ scheme, suffix }) => {
    if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false;
    // What stands for the star is host labels only: `https://evil.test/.shop.example` is no host below it.
    const label = origin.slice(scheme.length, origin.length - suffix.length);
    return label !== '' && LABELS.test(label);
  });
}

/** Fields of every response of the route, name, value, …: to a request from `origin`, undefined when it names none. */
export function corsFields(policy: CorsPolicy, origin: string | undefined): string[] {
  const fields: string[] = [];
  if (policy.any) fields.push('Access-Control-Allow-Origin', '*');
  else if (origin !== undefined && allowsOrigin(policy, origin)) {
    fields.push('Access-Control-Allow-Origin', origin);
    if (policy.credentials) fields.push('Access-Control-Allow-Credentials', 'true');
  }
  if (fields.length > 0 && policy.expose.length > 0) {
    fields.push('Access-Control-Expose-Headers', policy.expose.join(', '));
  }
  return fields;
}

export interface Preflight {
  readonly origin: string;
  /** Access-Control-Request-Method. */
  readonly method: string;
  /** Access-Control-Request-Headers; empty when there is none. */
  readonly headers: string;
}

/** Fields that permit the request, or null when it is not permitted. */
export function preflightFields(policy: CorsPolicy, asked: Preflight): string[] | null {
  if (!allowsOrigin(policy, asked.origin)) return null;
  if (!policy.methods.includes(asked.method)) return null;
  const headers = asked.headers.trim().toLowerCase();
  if (headers !== '') {
    if (!TOKENS.test(headers)) return null;
    const { headers: allowed } = policy;
    if (allowed !== null && !headers.split(',').every((name) => allowed.has(name.trim()))) return null;
  }
  const fields = ['Access-Control-Allow-Origin', policy.any ? '*' : asked.origin];
  if (policy.credentials) fields.push('Access-Control-Allow-Credentials', 'true');
  fields.push('Access-Control-Allow-Methods', policy.methods.join(', '));
  const permitted = policy.headers === null ? headers : [...policy.headers].join(', ');
  if (permitted !== '') fields.push('Access-Control-Allow-Headers', permitted);
  fields.push('Access-Control-Max-Age', String(policy.maxAgeS));
  return fields;
}
