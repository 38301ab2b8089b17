/**
 * The `tls` setting of a service or version: its shape in YAML, merging, defaults, and what does not fit together.
 * Reads no certificate.
 * @module
 */

import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import type { Path, YamlSource } from '../yaml-source.ts';

/** Paths are absolute. */
export interface UpstreamTls {
  /** PEM; the only authorities that are trusted. Null: those that Node brings. */
  readonly ca: string | null;
  /** PEM; who the gateway says it is. Both or neither. */
  readonly cert: string | null;
  readonly key: string | null;
  /** Sent as SNI, and what the certificate must be for. Null: the name of the endpoint. */
  readonly servername: string | null;
  readonly verify: boolean;
}

const file = z.string().min(1);

export const tlsField = z
  .strictObject({
    ca: file.optional().meta({
      description: 'PEM file of the only authorities that are trusted. Default: the public ones.',
    }),
    cert: file.optional().meta({ description: 'PEM file of the certificate that the gateway shows.' }),
    key: file.optional().meta({ description: 'PEM file of its private key.' }),
    servername: z
      .string()
      .regex(/^[A-Za-z0-9_-]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/, {
        error: 'expected a host name such as orders.internal',
      })
      .optional()
      .meta({
        description: 'Sent as SNI; the certificate must be for it. Default: the name of the endpoint.',
      }),
    verify: z
      .boolean()
      .optional()
      .meta({ description: 'False: whoever answers is believed to be the endpoint. Default true.' }),
  })
  .optional()
  .meta({ description: 'TLS to https:// endpoints. A version overrides single fields of its service.' });

export type TlsYaml = z.output<typeof tlsField>;

export function completeTls(service: TlsYaml, version: TlsYaml, configPath: string): UpstreamTls {
  const merged = { ...service, ...version };
  const absolute = (path: string | undefined): string | null =>
    path === undefined ? null : resolve(dirname(configPath), path);
  return {
    ca: absolute(merged.ca),
    cert: absolute(merged.cert),
    key: absolute(merged.key),
    servername: merged.servername ?? null,
    verify: merged.verify ?? true,
  };
}

/** `path` is that of the service or version; `inherited` what it overrides. */
export function checkTls(source: YamlSource, path: Path, written: TlsYaml, inherited: TlsYaml): void {
  if (written === undefined) return;
  const merged = { ...inherited, ...written };
  const at = [...path, 'tls'];
  if ((merged.cert === undefined) !== (merged.key === undefined)) {
    const [there, missing] = merged.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    source.findings.error(source.keyRange([...at, there]), `"${there}" needs "${missing}" beside it`);
  }
  if (written.verify === false) {
    source.findings.warning(
      source.valueRange([...at, 'verify']),
      'whoever answers at the address is believed to be the endpoint',
      'pin the authority that signs its certificate with ca instead',
    );
  }
}
