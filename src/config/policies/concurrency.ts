/**
 * Concurrency caps: how a route's merge with those of its policy, and what lint says.
 * Knows the written shape and the model; nothing of counting.
 * @module
 */

import type { Path, YamlSource } from '../yaml-source.ts';
import type { ConcurrencyYaml } from './concurrency-schema.ts';
import { checkLimitKey } from './limits.ts';
import type { LimitKeyPart } from './limits-schema.ts';

export interface ConcurrencyPolicy {
  /** Null: any number. */
  readonly max: number | null;
  readonly perKey: { readonly max: number; readonly key: readonly LimitKeyPart[] } | null;
}

type Written = ConcurrencyYaml | false | undefined;

export function mergeConcurrency(base: Written, over: Written): Written {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeConcurrency(written: Written): ConcurrencyPolicy | null {
  if (!written) return null;
  const { max, perKey } = written;
  return { max: max ?? null, perKey: perKey ? { max: perKey.max, key: perKey.key ?? ['ip'] } : null };
}

export function checkConcurrency(source: YamlSource, path: Path, written: Written): void {
  if (!written) return;
  const { max, perKey } = written;
  if (max === undefined && perKey === undefined) {
    source.findings.error(source.valueRange([...path, 'concurrency']), 'expected max, perKey or both');
  }
  checkLimitKey(source, [...path, 'concurrency', 'perKey', 'key'], perKey?.key ?? []);
  if (max !== undefined && perKey !== undefined && perKey.max > max) {
    source.findings.warning(
      source.valueRange([...path, 'concurrency', 'perKey', 'max']),
      `a single caller can never have ${perKey.max} requests under way: all together may have ${max}`,
    );
  }
}
