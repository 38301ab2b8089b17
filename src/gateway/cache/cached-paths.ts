/**
 * Which paths routes of a service may have stored responses of, and how they write the query there: compiled once, so
 * that an unsafe request knows whether there can be anything that it outdates.
 * @module
 */

import type { GatewayConfig, PathMatch } from '../../config/gateway-model.ts';
import { compileQueryKey } from '../../core/policy/cache/cache-key.ts';

export interface CachedPaths {
  readonly covers: (path: string) => boolean;
  readonly queryKey: (query: string) => string;
}

/** One for each route of the service that caches. */
export function compileCachedPaths(config: GatewayConfig, service: string): readonly CachedPaths[] {
  return config.routes.flatMap((route) =>
    route.service !== service || route.cache === null
      ? []
      : [{ covers: compileCover(route.path), queryKey: compileQueryKey(route.cache.query) }],
  );
}

function compileCover({ kind, path }: PathMatch): (path: string) => boolean {
  switch (kind) {
    case 'exact':
      return (candidate) => candidate === path;
    case 'prefix': {
      const start = path === '/' ? path : `${path}/`;
      return (candidate) => candidate === path || candidate.startsWith(start);
    }
    case 'template': {
      const wanted = path.split('/');
      return (candidate) => {
        const parts = candidate.split('/');
        return (
          parts.length === wanted.length &&
          wanted.every((part, index) => part.startsWith('{') || part === parts[index])
        );
      };
    }
  }
}
