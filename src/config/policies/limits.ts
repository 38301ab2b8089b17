/**
 * Rate limits and quotas: how a route's merge with those of its policy, their defaults, and what lint says.
 * Knows the written shape and the model; nothing of counting.
 * @module
 */

import type { Path, YamlSource } from '../yaml-source.ts';
import type { LimitKeyPart, QuotaYaml, RateLimitYaml, WhenDown } from './limits-schema.ts';

export interface RateLimitPolicy {
  readonly name: string;
  /** Requests per period. */
  readonly count: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly key: readonly LimitKeyPart[];
  readonly whenDown: WhenDown;
}

export interface QuotaPolicy {
  readonly name: string;
  readonly limit: number;
  readonly per: QuotaYaml['per'];
  readonly key: readonly LimitKeyPart[];
  readonly whenDown: WhenDown;
}

export interface LimitFields {
  readonly rateLimits?: readonly RateLimitYaml[] | false | undefined;
  readonly quotas?: readonly QuotaYaml[] | false | undefined;
}

export interface RouteLimits {
  readonly rateLimits: readonly RateLimitPolicy[];
  readonly quotas: readonly QuotaPolicy[];
}

const DEFAULT_KEY: readonly LimitKeyPart[] = ['ip'];

/** An entry takes the place of an inherited one of the same name; others are added; `false` takes all away. */
export function mergeLimits<T extends RateLimitYaml[] | QuotaYaml[]>(
  base: T | false | undefined,
  over: T | false | undefined,
): T | false | undefined {
  if (!base || !over) return over ?? base;
  const merged = new Map([...base, ...over].map((entry) => [nameOf(entry), entry]));
  return [...merged.values()] as T; // Of the same kind of entries as both.
}

export function completeLimits(fields: LimitFields): RouteLimits {
  return {
    rateLimits: (fields.rateLimits || []).map(({ name, rate, burst, key, whenDown }) => ({
      name,
      ...rate,
      burst: burst ?? rate.count,
      key: key ?? DEFAULT_KEY,
      whenDown: whenDown ?? 'local',
    })),
    quotas: (fields.quotas || []).map(({ name, limit, per, key, whenDown }) => ({
      name: name ?? per,
      limit,
      per,
      key: key ?? DEFAULT_KEY,
      whenDown: whenDown ?? 'local',
    })),
  };
}

/** What can only be judged where it is written: names used twice, keys that the client chooses. */
export function checkLimitFields(source: YamlSource, path: Path, written: LimitFields): void {
  for (const list of ['rateLimits', 'quotas'] as const) {
    const names = new Set<string>();
    for (const [index, entry] of (written[list] || []).entries()) {
      const at = [...path, list, index];
      if (names.has(nameOf(entry))) {
        source.findings.error(
          'name' in entry && entry.name !== undefined
            ? source.valueRange([...at, 'name'])
            : source.valueRange(at),
          `there are two of ${list} called "${nameOf(entry)}"`,
          'give each its own name',
        );
      }
      names.add(nameOf(entry));
      checkLimitKey(source, [...at, 'key'], entry.key ?? []);
    }
  }
}

/** Warns where a client could escape a limit by changing what it sends. */
export function checkLimitKey(source: YamlSource, path: Path, key: readonly LimitKeyPart[]): void {
  for (const [index, part] of key.entries()) {
    if (typeof part === 'string' || !('header' in part) || part.trustClient) continue;
    source.findings.warning(
      source.valueRange([...path, index, 'header']),
      'the client sends this header, so it can escape the limit by changing it',
      'prefer a claim of a validated token, or ip; trustClient: true beside it accepts that',
    );
  }
}

/** Warns where a route that validates no token counts by a claim. `path` is the route's. */
export function checkLimitClaims(
  source: YamlSource,
  path: Path,
  route: string,
  authenticated: boolean,
  keys: readonly (readonly LimitKeyPart[])[],
): void {
  if (authenticated) return;
  for (const part of keys.flat()) {
    if (typeof part === 'string' || !('claim' in part)) continue;
    source.findings.warning(
      source.valueRange([...path, 'name']),
      `the route "${route}" validates no token, so its limits by the claim "${part.claim}" count by address`,
      'add auth to the route or to its policy',
    );
  }
}

function nameOf(entry: RateLimitYaml | QuotaYaml): string {
  return entry.name ?? ('per' in entry ? entry.per : '');
}
