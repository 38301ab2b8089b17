/**
 * Idempotency: how a route's settings merge with those of its policy, their defaults, and what lint says.
 * Knows the written shape and the model; nothing of keys and answers.
 * @module
 */

import type { Path, YamlSource } from '../yaml-source.ts';
import type { IdempotencyYaml } from './idempotency-schema.ts';

export interface IdempotencyPolicy {
  readonly required: boolean;
  readonly ttlMs: number;
  readonly maxBytes: number;
  readonly whenDown: 'allow' | 'deny';
}

type Written = IdempotencyYaml | false | undefined;

const DAY_MS = 86_400_000;
const DEFAULT_MAX_BYTES = 262_144;

export function mergeIdempotency(base: Written, over: Written): Written {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeIdempotency(written: Written): IdempotencyPolicy | null {
  if (!written) return null;
  return {
    required: written.required ?? false,
    ttlMs: written.ttl ?? DAY_MS,
    maxBytes: written.maxBytes ?? DEFAULT_MAX_BYTES,
    whenDown: written.whenDown ?? 'deny',
  };
}

/** Warns where callers cannot be told apart by more than their address. `path` is the route's. */
export function checkIdempotencyCallers(
  source: YamlSource,
  path: Path,
  route: string,
  authenticated: boolean,
  idempotency: IdempotencyPolicy | null,
): void {
  if (authenticated || idempotency === null) return;
  source.findings.warning(
    source.valueRange([...path, 'name']),
    `the route "${route}" validates no token, so callers behind one address share their idempotency keys`,
    'add auth to the route or to its policy',
  );
}
