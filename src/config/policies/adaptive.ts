/**
 * The `adaptive` policy: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import type { AdaptiveLimits } from '../../core/policy/adaptive-limit.ts';
import { PRIORITIES, type Priority } from '../../core/policy/waiting-room.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { AdaptiveYaml } from './adaptive-schema.ts';

const DEFAULTS = { min: 20, max: 200, size: 50, waitMs: 100 } as const;

export interface PrioritySource {
  readonly from: { readonly claim: string } | { readonly header: string };
  readonly values: ReadonlyMap<string, Priority>;
  readonly otherwise: Priority;
}

export interface AdaptivePolicy {
  /** Routes of one service whose limits are the same share them. */
  readonly limits: AdaptiveLimits & { readonly queueSize: number };
  readonly waitMs: number;
  readonly priority: Priority | PrioritySource;
}

type Written = Exclude<AdaptiveYaml, false | undefined>;

/** `over` wins field by field; `false` switches an inherited policy off. */
export function mergeAdaptive(base: AdaptiveYaml, over: AdaptiveYaml): AdaptiveYaml {
  if (over === undefined || over === false || !base) return over ?? base;
  const queue = base.queue || over.queue ? { ...base.queue, ...over.queue } : undefined;
  return { ...base, ...over, ...(queue && { queue }) };
}

export function completeAdaptive(yaml: AdaptiveYaml): AdaptivePolicy | null {
  if (!yaml) return null;
  const { min, max, initial } = boundsOf(yaml);
  return {
    limits: { min, max, initial, queueSize: yaml.queue?.size ?? DEFAULTS.size },
    waitMs: yaml.queue?.wait ?? DEFAULTS.waitMs,
    priority: completePriority(yaml.priority),
  };
}

/** Of the two bounds, the one that is written moves the other's default. */
function boundsOf({ min, max, initial }: Written): AdaptiveLimits {
  const low = min ?? Math.min(DEFAULTS.min, max ?? DEFAULTS.min, initial ?? DEFAULTS.min);
  const high = max ?? Math.max(DEFAULTS.max, low, initial ?? 0);
  return { min: low, max: high, initial: initial ?? low };
}

function completePriority(written: Written['priority']): Priority | PrioritySource {
  if (written === undefined) return 'normal';
  if (typeof written === 'string') return written;
  const values = new Map<string, Priority>();
  for (const priority of PRIORITIES) {
    for (const value of written[priority] ?? []) values.set(value, priority);
  }
  const from = 'claim' in written ? { claim: written.claim } : { header: written.header };
  return { from, values, otherwise: written.otherwise ?? 'normal' };
}

export function checkAdaptive(source: YamlSource, path: Path, written: AdaptiveYaml): void {
  if (!written) return;
  const at = [...path, 'adaptive'];
  const { min, max, initial, priority } = written;
  const { findings } = source;
  if (min !== undefined && max !== undefined && min > max) {
    findings.error(source.valueRange([...at, 'max']), `expected at least the min of ${min}, got ${max}`);
  } else if (initial !== undefined) {
    const bounds = boundsOf(written);
    if (initial < bounds.min || initial > bounds.max) {
      findings.error(
        source.valueRange([...at, 'initial']),
        `expected a number from min (${bounds.min}) to max (${bounds.max}), got ${initial}`,
      );
    }
  }
  if (typeof priority === 'object') checkValues(source, [...at, 'priority'], priority);
}

function checkValues(
  source: YamlSource,
  at: Path,
  written: Exclude<NonNullable<Written['priority']>, string>,
): void {
  const seen = new Map<string, Priority>();
  for (const priority of PRIORITIES) {
    for (const [index, value] of (written[priority] ?? []).entries()) {
      const before = seen.get(value);
      if (before !== undefined) {
        source.findings.error(
          source.valueRange([...at, priority, index]),
          before === priority
            ? `"${value}" stands here twice`
            : `"${value}" means ${before} priority already`,
        );
      }
      seen.set(value, priority);
    }
  }
}

/** Warns where a route that validates no token goes by a claim. `path` is the route's. */
export function checkRouteAdaptive(
  source: YamlSource,
  path: Path,
  route: string,
  authenticated: boolean,
  policy: AdaptivePolicy | null,
): void {
  if (authenticated || policy === null || typeof policy.priority === 'string') return;
  const { from, otherwise } = policy.priority;
  if (!('claim' in from)) return;
  source.findings.warning(
    source.valueRange([...path, 'name']),
    `the route "${route}" validates no token, so nobody has the claim "${from.claim}" and all have ${otherwise} priority`,
    'add auth to the route or to its policy',
  );
}
