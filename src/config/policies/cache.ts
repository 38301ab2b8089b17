/**
 * The `cache` policy: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import type { CachePolicy, Route } from '../gateway-model.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { CacheYaml } from './cache-schema.ts';
import type { ListenerConfig } from './listeners.ts';

const DEFAULT_STALE_IF_ERROR_MS = 60_000;
const DEFAULT_MAX_BYTES = 1_048_576;
/** Their values differ with nearly every request. */
const NEVER_SHARED: readonly string[] = [
  'authorization',
  'cookie',
  'client-cert',
  'x-client-cert-subject',
  'user-agent',
  'x-request-id',
  'traceparent',
];

/** `over` wins field by field; `false` switches an inherited cache off. */
export function mergeCache(base: CacheYaml, over: CacheYaml): CacheYaml {
  if (over === undefined || over === false || !base) return over ?? base;
  const query = base.query || over.query ? { ...base.query, ...over.query } : undefined;
  return { ...base, ...over, ...(query && { query }) };
}

export function completeCache(yaml: CacheYaml): CachePolicy | null {
  if (!yaml) return null;
  return {
    ttlMs: yaml.ttl ?? null,
    staleWhileRevalidateMs: yaml.staleWhileRevalidate ?? 0,
    staleIfErrorMs: yaml.staleIfError ?? DEFAULT_STALE_IF_ERROR_MS,
    heuristic: yaml.heuristic ?? true,
    query: {
      sort: yaml.query?.sort ?? true,
      exclude: yaml.query?.exclude ?? [],
      forward: yaml.query?.forward ?? false,
    },
    headers: [...new Set(yaml.headers ?? [])].sort(),
    maxBytes: yaml.maxBytes ?? DEFAULT_MAX_BYTES,
    setCookie: yaml.setCookie ?? 'refuse',
    tags: yaml.tags ?? null,
    clientDirectives: yaml.clientDirectives ?? true,
  };
}

/** Warns of key headers that leave nothing to share. */
export function checkCache(source: YamlSource, path: Path, written: CacheYaml): void {
  if (!written) return;
  for (const [index, name] of (written.headers ?? []).entries()) {
    if (!NEVER_SHARED.includes(name)) continue;
    source.findings.warning(
      source.valueRange([...path, 'cache', 'headers', index]),
      `"${name}" differs with nearly every caller or request, so nothing would be shared`,
    );
  }
}

/**
 * Warns of a lifetime that no response of the route can get, because every caller is known. `named`: the route's name.
 */
export function checkRouteCache(
  source: YamlSource,
  named: Path,
  { cache, auth }: Pick<Route, 'cache' | 'auth'>,
  listeners: readonly ListenerConfig[],
): void {
  if (cache === null || cache.ttlMs === null) return;
  const certified = listeners.every(({ tls }) => tls?.clientCertificates?.required === true);
  const verified = auth !== null && !auth.optional;
  if (!certified && !verified) return;
  source.findings.warning(
    source.valueRange(named),
    `the cache's ttl never applies: every caller of this route ${verified ? 'is authenticated' : 'shows a certificate'}`,
    'responses that are for all say so by Cache-Control: public or s-maxage, with a lifetime',
  );
}
