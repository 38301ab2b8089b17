/**
 * Identity: providers with their defaults, how a route's `auth` merges with that of its policy, and what lint says.
 * Knows the written shape and the model; verifies nothing.
 * @module
 */

import { dirname, resolve } from 'node:path';
import { suggestion } from '../edit-distance.ts';
import type { Secret } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { AuthYaml, IdentityYaml, TokenPlace } from './identity-schema.ts';

export type { TokenPlace } from './identity-schema.ts';

export interface JwtProvider {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly jwks: { readonly url: string } | { readonly file: string };
  readonly clockToleranceMs: number;
  /** Left out: `Authorization: Bearer`. */
  readonly token?: TokenPlace;
}

export interface IntrospectionProvider {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Null: anything. */
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly negativeCacheMs: number;
  readonly staleMs: number;
  readonly token?: TokenPlace;
}

export interface ApiKeyProvider {
  /** Absolute. */
  readonly file: string;
  readonly token?: TokenPlace;
}

/** A claim must have one of these values; `exists`: any. */
export type ClaimCondition = 'exists' | readonly string[];

export interface AuthPolicy {
  /** Name of the provider. */
  readonly jwt?: string;
  readonly introspection?: string;
  readonly apiKey?: string;
  readonly optional: boolean;
  /** Left out: the name of the service. */
  readonly realm?: string;
  readonly scopes?: { readonly all: readonly string[]; readonly any: readonly string[] };
  readonly claims?: Readonly<Record<string, ClaimCondition>>;
  /** Header, lower case, to claim. */
  readonly forward?: Readonly<Record<string, string>>;
}

type Written = AuthYaml | false | undefined;

const DEFAULT_CLOCK_TOLERANCE_MS = 5000;
/** Fields that say where a request goes or how it is framed: no claim may stand in for them. */
const NOT_FORWARDED =
  /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|authorization|cookie|x-forwarded-.*|forwarded|x-real-ip|x-request-id|traceparent|tracestate|via|proxy-.*|keep-alive)$/;

export function completeJwtProviders(
  providers: NonNullable<IdentityYaml['jwt']>,
): Record<string, JwtProvider> {
  const built: Record<string, JwtProvider> = {};
  for (const [name, { clockTolerance, token, ...provider }] of Object.entries(providers)) {
    built[name] = {
      ...provider,
      clockToleranceMs: clockTolerance ?? DEFAULT_CLOCK_TOLERANCE_MS,
      ...(token && { token }),
    };
  }
  return built;
}

export function completeIntrospection(
  providers: NonNullable<IdentityYaml['introspection']>,
): Record<string, IntrospectionProvider> {
  const built: Record<string, IntrospectionProvider> = {};
  for (const [name, written] of Object.entries(providers)) {
    const { url, clientId, clientSecret, token } = written;
    built[name] = {
      url,
      clientId,
      clientSecret,
      issuer: written.issuer ?? null,
      audience: written.audience ?? null,
      timeoutMs: written.timeout ?? 2_000,
      cacheMs: written.cache ?? 60_000,
      negativeCacheMs: written.negativeCache ?? 10_000,
      staleMs: written.stale ?? 0,
      ...(token && { token }),
    };
  }
  return built;
}

export function completeApiKeys(
  providers: NonNullable<IdentityYaml['apiKeys']>,
  configPath: string,
): Record<string, ApiKeyProvider> {
  return Object.fromEntries(
    Object.entries(providers).map(([name, { file, token }]) => [
      name,
      { file: resolve(dirname(configPath), file), ...(token && { token }) },
    ]),
  );
}

/** Conditions and headers of the policy stay unless the route has its own. */
export function mergeAuth(base: Written, over: Written): Written {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeAuth(written: Written): AuthPolicy | null {
  if (!written) return null;
  const { jwt, introspection, apiKey, optional, realm, scopes, claims, forward } = written;
  return {
    ...(jwt !== undefined && { jwt }),
    ...(introspection !== undefined && { introspection }),
    ...(apiKey !== undefined && { apiKey }),
    optional: optional ?? false,
    ...(realm !== undefined && { realm }),
    ...(scopes && { scopes: { all: scopes.all ?? [], any: scopes.any ?? [] } }),
    ...(claims && {
      claims: Object.fromEntries(
        Object.entries(claims).map(([claim, value]) => [
          claim,
          value === 'exists' ? value : [value].flat().map(String),
        ]),
      ),
    }),
    ...(forward && { forward }),
  };
}

const KINDS = [
  ['jwt', 'JWT provider', 'identity.jwt'],
  ['introspection', 'introspection provider', 'identity.introspection'],
  ['apiKey', 'file of API keys', 'identity.apiKeys'],
] as const;

/** Names of providers by kind. */
export type KnownProviders = Readonly<Record<(typeof KINDS)[number][0], readonly string[]>>;

/** Checks what one place says by itself. `path`: of the policy or route. */
export function checkAuth(source: YamlSource, path: Path, written: Written, known: KnownProviders): void {
  if (!written) return;
  const { findings } = source;
  for (const [kind, what, place] of KINDS) {
    const provider = written[kind];
    const names = known[kind];
    if (provider === undefined || names.includes(provider)) continue;
    const hint = names.length > 0 ? suggestion(provider, names) : `add it to ${place}`;
    findings.error(source.valueRange([...path, 'auth', kind]), `there is no ${what} "${provider}"`, hint);
  }
  const { scopes } = written;
  if (scopes && scopes.all === undefined && scopes.any === undefined) {
    findings.error(source.valueRange([...path, 'auth', 'scopes']), 'expected all, any or both');
  }
  checkForward(source, [...path, 'auth', 'forward'], written.forward);
}

function checkForward(source: YamlSource, path: Path, forward: AuthYaml['forward']): void {
  if (!forward) return;
  // The parsed names are in lower case; places are found by what is written.
  const written = Object.keys(Object(valueAt(source.value, path)));
  for (const name of written) {
    if (NOT_FORWARDED.test(name.toLowerCase().replaceAll('_', '-'))) {
      source.findings.error(
        source.keyRange([...path, name]),
        `"${name}" has a meaning of its own and cannot carry a claim`,
        'choose a name such as X-User-Id',
      );
    }
  }
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) value = Object(value)[step];
  return value;
}

/** Checks a route with its policy merged in. `path` is the route's. */
export function checkRouteAuth(source: YamlSource, path: Path, route: string, auth: AuthPolicy | null): void {
  if (auth === null || KINDS.some(([kind]) => auth[kind] !== undefined)) return;
  source.findings.error(
    source.valueRange([...path, 'name']),
    `the auth of route "${route}" names nobody who vouches for callers`,
    `expected ${KINDS.map(([kind]) => kind).join(', ')}`,
  );
}
