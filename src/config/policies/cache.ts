/**
 * The `cache` policy: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import type { CachePolicy } from '../gateway-model.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { CacheYaml } from './cache-schema.ts';

const DEFAULT_STALE_IF_ERROR_MS = 60_000;
const DEFAULT_MAX_BYTES = 1_048_576;
/** Their values differ with nearly every request. */
const NEVER_SHARED: readonly string[] = [
  'authorization',
  'cookie',
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
    query: { sort: yaml.query?.sort ?? true, exclude: yaml.query?.exclude ?? [] },
    headers: [...new Set(yaml.headers ?? [])].sort(),
    maxBytes: yaml.maxBytes ?? DEFAULT_MAX_BYTES,
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
