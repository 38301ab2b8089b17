/**
 * What a configuration means to the parts that outlive it: which services have splits, which changes need a
 * restart. Knows no running gateway.
 * @module
 */

import type { GatewayConfig } from '../config/gateway-model.ts';
import type { ListenerConfig } from '../config/policies/listeners.ts';
import type { SplitService } from './held-split.ts';

export type ReloadResult =
  | { readonly ok: true }
  /** The old configuration stays in force. */
  | { readonly ok: false; readonly cause: 'restart-needed' | 'failed'; readonly detail: string };

/** The services as the split table wants them. */
export function splitServices(config: GatewayConfig): SplitService[] {
  return Object.values(config.services).map(({ name, versions, defaultVersion, salt }) => ({
    name,
    versions: Object.keys(versions),
    defaultVersion,
    salt,
  }));
}

/** What a listening socket is opened with. */
function fixedPart({ address, tls, http2, proxyProtocol, limits }: ListenerConfig): unknown {
  const client = tls?.clientCertificates ?? null;
  return [address, tls?.minVersion, client?.required, http2, proxyProtocol !== null, limits.maxHeaderBytes];
}

/** The share follows a reload. */
function destinationOf({ tracing }: GatewayConfig): unknown {
  return tracing === null ? null : [tracing.url, tracing.headers];
}

/** Says what cannot change while running, or undefined when the change can be applied at once. */
export function restartReason(old: GatewayConfig, next: GatewayConfig): string | undefined {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  if (!same(old.listeners.map(fixedPart), next.listeners.map(fixedPart)))
    return 'addresses, protocols or maxHeaderBytes of listeners have changed; restart the gateway to apply that';
  if (!same(old.admin, next.admin)) return 'the admin address has changed; restart the gateway to apply that';
  if (!same(old.accessLog, next.accessLog)) return 'accessLog has changed; restart the gateway to apply that';
  if (!same(destinationOf(old), destinationOf(next)))
    return 'tracing.otlp or its headers have changed; restart the gateway to apply that';
  if (old.name !== next.name) return 'the name has changed; restart the gateway to apply that';
  return undefined;
}
