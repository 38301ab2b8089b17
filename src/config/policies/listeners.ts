/**
 * Listeners after loading: defaults, absolute paths, and what does not fit together.
 * Knows the written shape and the model; reads no certificate.
 * @module
 */

import { dirname, resolve } from 'node:path';
import type { CertificateAllowList } from '../../core/policy/certificate-names.ts';
import type { ListenAddress } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkIp, checkRanges, completeIp, type IpPolicy } from './ip.ts';
import type { ListenerYaml } from './listeners-schema.ts';

/** PEM files, by absolute path. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface ListenerTls {
  /** The first one serves names that no certificate is for. */
  readonly certificates: readonly CertificateFiles[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Null: clients are not asked for one. */
  readonly clientCertificates: {
    readonly ca: string;
    readonly required: boolean;
    readonly allow: CertificateAllowList;
  } | null;
}

export interface ListenerLimits {
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly maxUriLength: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  /** Of a request body; 0: none. */
  readonly minBytesPerSecond: number;
  readonly graceMs: number;
  /** Of a response, while some of it waits for the client; 0: none. */
  readonly minReadBytesPerSecond: number;
  readonly readGraceMs: number;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 16_384,
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  maxUriLength: 8_192,
  // A slow head holds a socket and nothing else (Slowloris).
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  // Longer than common load balancers keep theirs (60 s), so that they, not we, close an idle connection.
  keepAliveMs: 75_000,
  minBytesPerSecond: 240,
  graceMs: 5_000,
  // Every slow reader holds a connection to an upstream. The grace is for clients that pause, such as players.
  minReadBytesPerSecond: 1_000,
  readGraceMs: 30_000,
};

/** The PROXY protocol, as a listener wants it. */
export interface ProxyProtocol {
  /** Who may, and has to, send a header. */
  readonly from: readonly string[];
  readonly timeoutMs: number;
}

export interface ListenerConfig {
  readonly address: ListenAddress;
  /** Null: plain http. */
  readonly tls: ListenerTls | null;
  /** Value of Strict-Transport-Security; null: none is sent. */
  readonly hsts: string | null;
  /** Over TLS by ALPN, else by prior knowledge; HTTP/1.1 is spoken beside it. */
  readonly http2: boolean;
  /** Port of https that plain requests are sent to; null: they are served. */
  readonly redirectPort: number | null;
  /** Null: clients from everywhere. */
  readonly ip: IpPolicy | null;
  /** Null: connections start with a request or TLS. */
  readonly proxyProtocol: ProxyProtocol | null;
  readonly limits: ListenerLimits;
}

const DEFAULT_HSTS_MS = 365 * 86_400_000;
const HTTPS_PORT = 443;
const DEFAULT_PROXY_HEADER_MS = 5_000;

export function completeListener(written: ListenerYaml, configPath: string): ListenerConfig {
  const { address, tls, hsts, http2, redirect, ip, proxyProtocol, limits } = written;
  return {
    address,
    tls: tls ? completeTls(tls, configPath) : null,
    hsts: completeHsts(hsts),
    http2: http2 ?? false,
    redirectPort: redirect === undefined ? null : redirect === 'https' ? HTTPS_PORT : redirect.port,
    ip: completeIp(ip),
    proxyProtocol: proxyProtocol
      ? { from: proxyProtocol.from, timeoutMs: proxyProtocol.timeout ?? DEFAULT_PROXY_HEADER_MS }
      : null,
    limits: completeLimits(limits ?? {}),
  };
}

function completeLimits(written: NonNullable<ListenerYaml['limits']>): ListenerLimits {
  const { headersTimeout, requestTimeout, keepAlive, grace, readGrace, ...counts } = written;
  const defaults = DEFAULT_LISTENER_LIMITS;
  return {
    maxConnections: counts.maxConnections ?? defaults.maxConnections,
    maxHeaderBytes: counts.maxHeaderBytes ?? defaults.maxHeaderBytes,
    maxHeaders: counts.maxHeaders ?? defaults.maxHeaders,
    maxUriLength: counts.maxUriLength ?? defaults.maxUriLength,
    headersTimeoutMs: headersTimeout ?? Math.min(defaults.headersTimeoutMs, requestTimeout ?? Infinity),
    requestTimeoutMs: requestTimeout ?? Math.max(defaults.requestTimeoutMs, headersTimeout ?? 0),
    keepAliveMs: keepAlive ?? defaults.keepAliveMs,
    minBytesPerSecond: counts.minBytesPerSecond ?? defaults.minBytesPerSecond,
    graceMs: grace ?? defaults.graceMs,
    minReadBytesPerSecond: counts.minReadBytesPerSecond ?? defaults.minReadBytesPerSecond,
    readGraceMs: readGrace ?? defaults.readGraceMs,
  };
}

function completeTls(tls: NonNullable<ListenerYaml['tls']>, configPath: string): ListenerTls {
  const absolute = (path: string): string => resolve(dirname(configPath), path);
  const client = tls.clientCertificates;
  return {
    certificates: tls.certificates.map(({ cert, key }) => ({ cert: absolute(cert), key: absolute(key) })),
    minVersion: tls.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    clientCertificates: client
      ? {
          ca: absolute(client.ca),
          required: client.mode === 'required',
          allow: { subjects: client.allow?.subjects ?? [], altNames: client.allow?.altNames ?? [] },
        }
      : null,
  };
}

function completeHsts(hsts: ListenerYaml['hsts']): string | null {
  if (hsts === undefined || hsts === false) return null;
  const { maxAge = DEFAULT_HSTS_MS, includeSubDomains = false, preload = false } = hsts === true ? {} : hsts;
  return `max-age=${Math.floor(maxAge / 1000)}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
}

export function checkListener(source: YamlSource, path: Path, written: ListenerYaml): void {
  const { findings } = source;
  checkIp(source, path, written.ip);
  checkRanges(source, [...path, 'proxyProtocol', 'from'], written.proxyProtocol?.from ?? []);
  if (written.hsts && !written.tls) {
    findings.error(
      source.keyRange([...path, 'hsts']),
      '"hsts" needs "tls" beside it: browsers ignore the field over plain http',
    );
  }
  if (written.redirect !== undefined && written.tls) {
    findings.error(source.keyRange([...path, 'redirect']), 'this listener speaks https already');
  }
  const { headersTimeout, requestTimeout } = written.limits ?? {};
  if (headersTimeout !== undefined && requestTimeout !== undefined && headersTimeout > requestTimeout) {
    findings.error(
      source.valueRange([...path, 'limits', 'requestTimeout']),
      `expected at least the headersTimeout of ${headersTimeout}ms, got ${requestTimeout}ms`,
    );
  }
  const allow = written.tls?.clientCertificates?.allow;
  if (allow && !allow.subjects && !allow.altNames) {
    findings.error(
      source.valueRange([...path, 'tls', 'clientCertificates', 'allow']),
      'expected subjects, altNames or both',
    );
  }
}
