/**
 * Where the endpoints of a version are, with every default filled in. What the data plane looks up; knows no YAML
 * and asks nobody.
 * @module
 */

import { dirname, resolve } from 'node:path';
import { FULL_BP } from '../../core/domain/weight.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkTls, completeTls, type TlsYaml, type UpstreamTls } from './upstream-tls.ts';
import type { LocalZoneYaml, ResolverYaml, SourceYaml, VersionYaml } from './upstreams-schema.ts';

export interface EndpointAddress {
  /** Scheme, host and port. */
  readonly url: string;
  /** Positive. */
  readonly weight: number;
  /** Empty: unknown. */
  readonly zone: string;
  /** From 0: used only when fewer than half of those with a lower number are well. */
  readonly priority: number;
  /** Name that its certificate must have; empty: the host of the URL. */
  readonly servername: string;
}

/** Says where endpoints are found while running. Times are milliseconds. */
export type DiscoverySource =
  | {
      readonly kind: 'dns';
      readonly host: string;
      readonly port: number;
      readonly family: 'any' | 'ipv4' | 'ipv6';
      readonly scheme: 'http' | 'https';
      readonly refreshMs: number;
      readonly weight: number;
      readonly zone: string;
      readonly priority: number;
    }
  | {
      readonly kind: 'srv';
      readonly host: string;
      readonly scheme: 'http' | 'https';
      readonly refreshMs: number;
      readonly zone: string;
    }
  | { readonly kind: 'file'; readonly path: string };

export type EndpointSource = EndpointAddress | DiscoverySource;

export interface VersionUpstream {
  readonly endpoints: readonly EndpointSource[];
  readonly tls: UpstreamTls;
  readonly protocol: UpstreamProtocol;
}

/** `h2` without https: is spoken without asking first (prior knowledge). */
export type UpstreamProtocol = 'http1' | 'h2';

export interface ResolverSettings {
  /** Empty: those of the system. */
  readonly servers: readonly string[];
  /** Per question and server. */
  readonly timeoutMs: number;
}

const DEFAULT_LOCAL_BP = 7_000;
const DEFAULT_REFRESH_MS = 30_000;
const DEFAULT_RESOLVER_MS = 2_000;

/** 0–1; null: zones do not matter. */
export function completeLocalZone(yaml: LocalZoneYaml): number | null {
  if (yaml === false) return null;
  return (yaml?.enough ?? DEFAULT_LOCAL_BP) / FULL_BP;
}

export function completeResolver(yaml: ResolverYaml): ResolverSettings {
  return { servers: yaml?.servers ?? [], timeoutMs: yaml?.timeout ?? DEFAULT_RESOLVER_MS };
}

/** Of every version; what a version does not say of TLS and protocol its service says. Files are relative to the configuration. */
export function completeVersions(
  source: YamlSource,
  path: Path,
  versions: Readonly<Record<string, VersionYaml>>,
  { tls, protocol }: { readonly tls?: TlsYaml; readonly protocol?: UpstreamProtocol | undefined },
): Record<string, VersionUpstream> {
  const configPath = source.file.absolutePath;
  checkTls(source, path, tls, undefined);
  const completed: Record<string, VersionUpstream> = {};
  for (const [name, yaml] of Object.entries(versions)) {
    checkTls(source, [...path, 'versions', name], yaml.tls, tls);
    completed[name] = {
      endpoints: yaml.endpoints.map((each) => completeSource(each, configPath)),
      tls: completeTls(tls, yaml.tls, configPath),
      protocol: yaml.protocol ?? protocol ?? 'http1',
    };
  }
  return completed;
}

function completeSource(yaml: SourceYaml, configPath: string): EndpointSource {
  if ('url' in yaml) return yaml;
  if ('file' in yaml) return { kind: 'file', path: resolve(dirname(configPath), yaml.file) };
  const { refresh, ...rest } = yaml;
  const refreshMs = refresh ?? DEFAULT_REFRESH_MS;
  if ('srv' in rest) {
    const { srv, ...more } = rest;
    return { kind: 'srv', host: srv, refreshMs, ...more };
  }
  const { dns, ...more } = rest;
  return { kind: 'dns', ...dns, refreshMs, ...more };
}

export function isDiscovered(source: EndpointSource): source is DiscoverySource {
  return 'kind' in source;
}
