/**
 * The `upgrade` policy: which protocols a route lets clients change to. Its shape, its default, and what it needs of
 * the service.
 * @module
 */

import * as z from 'zod';
import type { Path, YamlSource } from '../yaml-source.ts';
import type { UpstreamProtocol } from './upstreams.ts';

/** Another HTTP on the connection would get past every policy. */
const ANOTHER_HTTP = /^(?:h2c?|h3|https?|tls)(?:\/|$)/;

const protocol = z
  .string()
  .regex(/^[a-z][a-z0-9.+-]{0,31}(?:\/[0-9.]{1,8})?$/, {
    error: 'expected a protocol in lower case such as websocket',
  })
  .refine((text) => !ANOTHER_HTTP.test(text), {
    error: 'expected a protocol other than HTTP and TLS, whose requests no policy would see',
  });

export const upgradeField = z
  .union([z.array(protocol).min(1).max(8), z.literal(false)])
  .optional()
  .meta({
    description:
      'Protocols that a client may change its connection to, such as websocket; false for none, which is the default.',
  });

export type UpgradeYaml = z.output<typeof upgradeField>;

/** Null: every Upgrade is refused. */
export type UpgradePolicy = ReadonlySet<string>;

export function completeUpgrade(yaml: UpgradeYaml): UpgradePolicy | null {
  return yaml ? new Set(yaml) : null;
}

/** What a service and its versions say of the protocol. */
interface Speaking {
  readonly protocol?: UpstreamProtocol | undefined;
  readonly versions: Readonly<Record<string, { readonly protocol?: UpstreamProtocol | undefined }>>;
}

/** `at`: what names the route. A connection that changes its protocol is one of HTTP/1.1. */
export function checkRouteUpgrade(
  source: YamlSource,
  at: Path,
  upgrade: UpgradePolicy | null,
  service: Speaking | undefined,
): void {
  if (upgrade === null || service === undefined) return;
  for (const [version, { protocol }] of Object.entries(service.versions)) {
    const spoken = protocol ?? service.protocol ?? 'http1';
    if (spoken === 'http1') continue;
    source.findings.error(
      source.valueRange(at),
      `upgrade needs HTTP/1.1, but version "${version}" of its service speaks ${spoken}`,
      'give such routes a service of their own with protocol: http1',
    );
    return;
  }
}
