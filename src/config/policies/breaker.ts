/**
 * The `breaker` policy: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import { FULL_BP } from '../../core/domain/weight.ts';
import type { BreakerLimits } from '../../core/policy/breaker.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { BreakerYaml } from './breaker-schema.ts';

const DEFAULT_ERROR_BP = 2_000;
const DEFAULT_SLOW = { over: 1_000, share: 5_000 } as const;
const DEFAULTS = { windowMs: 10_000, minimum: 20, openMs: 10_000, recoverMs: 10_000 } as const;

/** `over` wins field by field; `false` switches an inherited breaker off. */
export function mergeBreaker(base: BreakerYaml, over: BreakerYaml): BreakerYaml {
  if (over === undefined || over === false || !base) return over ?? base;
  const slow = base.slow || over.slow ? { ...base.slow, ...over.slow } : undefined;
  return { ...base, ...over, ...(slow && { slow }) };
}

export interface BreakerPolicy extends BreakerLimits {
  readonly per: 'version' | 'endpoint';
}

export function completeBreaker(yaml: BreakerYaml): BreakerPolicy | null {
  if (!yaml) return null;
  const { slow } = yaml;
  const errorBp = yaml.errorRate ?? (slow ? undefined : DEFAULT_ERROR_BP);
  return {
    per: yaml.per ?? 'version',
    errorShare: errorBp === undefined ? null : errorBp / FULL_BP,
    slow: slow
      ? { overMs: slow.over ?? DEFAULT_SLOW.over, share: (slow.share ?? DEFAULT_SLOW.share) / FULL_BP }
      : null,
    windowMs: yaml.window ?? DEFAULTS.windowMs,
    minimum: yaml.minimum ?? DEFAULTS.minimum,
    openMs: yaml.open ?? DEFAULTS.openMs,
    recoverMs: yaml.recover ?? DEFAULTS.recoverMs,
  };
}

/** Warns of a slowness that the response timeout (milliseconds, as written beside it) hides. */
export function checkBreaker(
  source: YamlSource,
  path: Path,
  written: BreakerYaml,
  responseMs: number | undefined,
): void {
  const over = written ? written.slow?.over : undefined;
  if (over === undefined || responseMs === undefined || over < responseMs) return;
  source.findings.warning(
    source.valueRange([...path, 'breaker', 'slow', 'over']),
    'attempts end by the response timeout before they ever count as slow',
  );
}
