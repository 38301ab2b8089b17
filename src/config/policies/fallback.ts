/**
 * The `fallback` and `hedge` policies: merging, defaults, and what does not fit together. Knows no data plane.
 * @module
 */

import { suggestion } from '../edit-distance.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { FallbackCause, FallbackYaml, HedgeYaml } from './fallback-schema.ts';

export interface FallbackPolicy {
  readonly on: ReadonlySet<FallbackCause>;
  readonly to:
    | {
        readonly kind: 'response';
        readonly status: number;
        /** Name, value, name, value …, without Content-Length. */
        readonly fields: readonly string[];
        readonly body: string;
      }
    | { readonly kind: 'service'; readonly service: string };
}

export interface HedgePolicy {
  readonly afterMs: number;
}

const DEFAULT_ON: readonly FallbackCause[] = ['breaker', 'connect', 'reset', 'timeout', '502', '503', '504'];
const DEFAULT_HEDGE_MS = 100;

/** `over` wins field by field; one kind of stand-in replaces the other. */
export function mergeFallback(base: FallbackYaml, over: FallbackYaml): FallbackYaml {
  if (over === undefined || over === false || !base) return over ?? base;
  const { response, service, ...rest } = base;
  if (over.response !== undefined || over.service !== undefined) return { ...rest, ...over };
  return { ...base, ...over };
}

export function mergeHedge(base: HedgeYaml, over: HedgeYaml): HedgeYaml {
  return over === undefined || over === false || !base ? (over ?? base) : { ...base, ...over };
}

export function completeFallback(yaml: FallbackYaml): FallbackPolicy | null {
  if (!yaml) return null;
  const on = new Set(yaml.on ?? DEFAULT_ON);
  if (yaml.service !== undefined) return { on, to: { kind: 'service', service: yaml.service } };
  const { status = 200, contentType = 'application/json', body = '', headers = {} } = yaml.response ?? {};
  const type = body === '' ? [] : ['Content-Type', contentType];
  return {
    on,
    to: { kind: 'response', status, fields: [...type, ...Object.entries(headers).flat()], body },
  };
}

export function completeHedge(yaml: HedgeYaml): HedgePolicy | null {
  return yaml ? { afterMs: yaml.after ?? DEFAULT_HEDGE_MS } : null;
}

const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
]);

export function checkFallback(
  source: YamlSource,
  path: Path,
  written: FallbackYaml,
  services: readonly string[],
): void {
  if (!written) return;
  const { findings } = source;
  if (written.response !== undefined && written.service !== undefined) {
    findings.error(
      source.keyRange([...path, 'fallback', 'service']),
      'expected either a response or a service, got both',
    );
  }
  if (written.service !== undefined && !services.includes(written.service)) {
    findings.error(
      source.valueRange([...path, 'fallback', 'service']),
      `there is no service "${written.service}"`,
      suggestion(written.service, services),
    );
  }
  for (const header of Object.keys(written.response?.headers ?? {})) {
    if (!FRAMING.has(header.toLowerCase())) continue;
    findings.error(
      source.keyRange([...path, 'fallback', 'response', 'headers', header]),
      `the gateway sets ${header} itself`,
      header.toLowerCase() === 'content-type' ? 'use contentType' : 'remove it',
    );
  }
}

/** Warns of a second attempt that would come when the first has ended by itself. */
export function checkHedge(
  source: YamlSource,
  path: Path,
  written: HedgeYaml,
  responseMs: number | undefined,
): void {
  if (!written || responseMs === undefined || (written.after ?? DEFAULT_HEDGE_MS) < responseMs) return;
  source.findings.warning(
    source.keyRange([...path, 'hedge']),
    'the response timeout ends the first attempt before the second one ever begins',
  );
}
