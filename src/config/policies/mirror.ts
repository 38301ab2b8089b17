/**
 * The `mirror` policy: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import { FULL_BP } from '../../core/domain/weight.ts';
import type { CompareRules } from '../../core/policy/mirror-compare.ts';
import { suggestion } from '../edit-distance.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { MirrorYaml } from './mirror-schema.ts';

/** Shares are 0–1. */
export interface MirrorPolicy {
  /** Null: that of the route. */
  readonly service: string | null;
  /** Null: the default one. */
  readonly version: string | null;
  readonly share: number;
  readonly by: 'key' | 'random';
  readonly noise: number;
  readonly methods: readonly string[];
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly max: number;
  readonly rules: CompareRules;
}

const DEFAULTS = { shareBp: 1_000, noiseBp: 2_000, maxBytes: 65_536, timeoutMs: 5_000, max: 20 } as const;
const DEFAULT_METHODS: readonly string[] = ['GET', 'HEAD'];
const DEFAULT_FIELDS: readonly string[] = ['content-type', 'location', 'cache-control'];

/** `over` wins field by field; `false` switches an inherited mirror off. */
export function mergeMirror(base: MirrorYaml, over: MirrorYaml): MirrorYaml {
  return over === undefined || over === false || !base ? (over ?? base) : { ...base, ...over };
}

export function completeMirror(yaml: MirrorYaml): MirrorPolicy | null {
  return yaml ? mirrorOf(yaml) : null;
}

/** `{}`: the defaults. */
export function mirrorOf(yaml: Exclude<MirrorYaml, false | undefined>): MirrorPolicy {
  return {
    service: yaml.service ?? null,
    version: yaml.version ?? null,
    share: (yaml.share ?? DEFAULTS.shareBp) / FULL_BP,
    by: yaml.by ?? 'key',
    noise: (yaml.noise ?? DEFAULTS.noiseBp) / FULL_BP,
    methods: [...new Set(yaml.methods ?? DEFAULT_METHODS)],
    maxBytes: yaml.maxBytes ?? DEFAULTS.maxBytes,
    timeoutMs: yaml.timeout ?? DEFAULTS.timeoutMs,
    max: yaml.max ?? DEFAULTS.max,
    rules: { fields: [...new Set(yaml.headers ?? DEFAULT_FIELDS)], ignore: yaml.ignore ?? [] },
  };
}

export interface MirroredRoute {
  readonly name: string;
  readonly service: string;
  readonly policy: MirrorPolicy | null;
}

/** Judged where the route is, because only it knows its service. `path` is the route's. */
export function checkRouteMirror(
  source: YamlSource,
  path: Path,
  { name, service, policy }: MirroredRoute,
  services: Readonly<Record<string, { readonly versions: Readonly<Record<string, unknown>> }>>,
): void {
  if (policy === null || !Object.hasOwn(services, service)) return;
  const at = source.valueRange([...path, 'name']);
  if (policy.service === null && policy.version === null) {
    source.findings.error(at, `the mirror of route "${name}" says neither version nor service`);
    return;
  }
  const target = policy.service ?? service;
  if (!Object.hasOwn(services, target)) {
    source.findings.error(
      at,
      `the mirror of route "${name}" names no service: there is no "${target}"`,
      suggestion(target, Object.keys(services)),
    );
    return;
  }
  const versions = Object.keys(services[target]?.versions ?? {});
  if (policy.version !== null && !versions.includes(policy.version)) {
    source.findings.error(
      at,
      `the mirror of route "${name}" names no version: "${target}" has no "${policy.version}"`,
      suggestion(policy.version, versions),
    );
  }
}
