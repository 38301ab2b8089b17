/**
 * By which fields of a request a route's upstreams may know the caller: well-known ones, those of the configuration's
 * credentials, and those that the route fills from them. Compiled once per route; reads no request.
 * @module
 */

import type { CachePolicy, GatewayConfig, Route } from '../../config/gateway-model.ts';
import { type CallerField, callerFields } from '../../core/policy/cache/caller-fields.ts';

export function routeCallers(
  { headers }: CachePolicy,
  { transform }: Route,
  { jwt, introspection, apiKeys }: GatewayConfig,
): ReadonlyMap<string, CallerField> {
  const providers = [...Object.values(jwt), ...Object.values(introspection), ...Object.values(apiKeys)];
  const keys = providers.flatMap(({ token }) => (token && 'header' in token ? [token.header] : []));
  const edits = transform?.headers?.request ?? null;
  const written = edits === null ? [] : [...edits.set, ...edits.add];
  const copies = written.map(({ name, value }) => ({
    field: name,
    from: value.flatMap((part) => (typeof part === 'object' && part.scope === 'header' ? [part.name] : [])),
  }));
  return callerFields({ keys, copies, inKey: headers });
}
