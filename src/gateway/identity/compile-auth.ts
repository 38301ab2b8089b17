/**
 * A route's `auth`, ready to run: where credentials are, who judges them, what they must entitle to, and the
 * challenges of RFC 6750 word by word. Knows no exchange's state.
 * @module
 */

import type { GatewayConfig, Route } from '../../config/gateway-model.ts';
import type { AuthPolicy, TokenPlace } from '../../config/policies/identity.ts';
import type { Conditions } from '../../core/policy/authorisation.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import type { AuthCounts, AuthOutcome } from './auth-metrics.ts';
import { type CredentialRead, compileCredential } from './credentials.ts';
import type { Verifiers } from './identity-providers.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface AuthMethod {
  readonly read: CredentialRead;
  readonly verifier: TokenVerifier;
  /** When nobody can judge the credential. */
  readonly whenUnavailable: GatewayErrorCode;
}

export interface CompiledAuth {
  /** Alternatives, in the order in which they are tried. Not empty. */
  readonly methods: readonly AuthMethod[];
  readonly optional: boolean;
  /** Null: whoever is known may pass. */
  readonly conditions: Conditions | null;
  /** Fields of the upstream's request with the claims that they carry. */
  readonly forward: readonly (readonly [field: string, claim: string])[];
  readonly tenantClaim: string;
  readonly counts: AuthCounts;
  readonly challenges: Challenges;
}

/** Values of WWW-Authenticate as name, value, name, value …. API keys have no scheme of a standard: realm only. */
export class Challenges {
  readonly #realm: string;
  readonly #scope: string;
  readonly #schemes: { readonly bearer: boolean; readonly apiKey: boolean };

  constructor(
    realm: string,
    scopes: readonly string[],
    schemes: { readonly bearer: boolean; readonly apiKey: boolean },
  ) {
    this.#realm = `realm="${realm}"`;
    this.#scope = scopes.length === 0 ? '' : `, scope="${scopes.join(' ')}"`;
    this.#schemes = schemes;
  }

  /** RFC 6750 §3.1: a request without any credentials gets no error code. */
  missing(): string[] {
    return this.#fields(this.#scope);
  }

  refused(error: 'invalid_request' | 'invalid_token', description: string): string[] {
    return this.#fields(`, error="${error}", error_description="${description}"`);
  }

  insufficient(description: string): string[] {
    return this.#fields(`, error="insufficient_scope", error_description="${description}"${this.#scope}`);
  }

  #fields(parameters: string): string[] {
    const fields: string[] = [];
    if (this.#schemes.bearer) fields.push('WWW-Authenticate', `Bearer ${this.#realm}${parameters}`);
    if (this.#schemes.apiKey) fields.push('WWW-Authenticate', `ApiKey ${this.#realm}`);
    return fields;
  }
}

const API_KEY: TokenPlace = { header: 'x-api-key' };
const AUTHORIZATION: TokenPlace = { header: 'authorization' };

export function compileAuth(
  route: Pick<Route, 'name' | 'service'> & { readonly auth: AuthPolicy },
  config: GatewayConfig,
  verifiers: Verifiers,
  counts: AuthCounts,
): CompiledAuth {
  const { auth } = route;
  const { all = [], any = [] } = auth.scopes ?? {};
  const claims = auth.claims ?? {};
  return {
    methods: compileMethods(route.name, auth, config, verifiers),
    optional: auth.optional,
    conditions: all.length + any.length + Object.keys(claims).length === 0 ? null : { all, any, claims },
    forward: Object.entries(auth.forward ?? {}),
    tenantClaim: config.tenantClaim,
    counts,
    challenges: new Challenges(auth.realm ?? route.service, [...new Set([...all, ...any])], {
      bearer: auth.jwt !== undefined || auth.introspection !== undefined,
      apiKey: auth.apiKey !== undefined,
    }),
  };
}

function compileMethods(
  route: string,
  auth: AuthPolicy,
  config: GatewayConfig,
  verifiers: Verifiers,
): AuthMethod[] {
  const methods: AuthMethod[] = [];
  const add = (kind: string, name: string, place: TokenPlace, whenUnavailable: GatewayErrorCode): void => {
    const verifier = verifiers.get(`${kind} ${name}`);
    if (verifier === undefined) throw new Error(`route ${route} names no ${kind} provider: ${name}`);
    methods.push({ read: compileCredential(place), verifier, whenUnavailable });
  };
  if (auth.jwt !== undefined) {
    add('jwt', auth.jwt, config.jwt[auth.jwt]?.token ?? AUTHORIZATION, 'KEYS_UNAVAILABLE');
  }
  if (auth.introspection !== undefined) {
    const place = config.introspection[auth.introspection]?.token ?? AUTHORIZATION;
    add('introspection', auth.introspection, place, 'INTROSPECTION_UNAVAILABLE');
  }
  if (auth.apiKey !== undefined) {
    add('apiKey', auth.apiKey, config.apiKeys[auth.apiKey]?.token ?? API_KEY, 'KEYS_UNAVAILABLE');
  }
  if (methods.length === 0) throw new Error(`route ${route} names nobody who vouches for callers`);
  return methods;
}

/** Once per request: what became of its credential. */
export function countAuth(
  exchange: { note(name: string, value: string): void },
  auth: CompiledAuth,
  outcome: AuthOutcome,
): void {
  auth.counts[outcome] += 1;
  exchange.note('auth', outcome);
}
