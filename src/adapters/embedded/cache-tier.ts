/**
 * Stored responses that the gateways of one process share, in memory: the oldest resource leaves first.
 * @module
 */

import { type CacheTier, TIER_VALUES } from '../../ports/cache-tier.ts';
import type { Clock } from '../../ports/clock.ts';

const MAX_RESOURCES = 1_024;

interface Resource {
  readonly values: Map<string, Buffer>;
  untilMs: number;
}

export function createEmbeddedCacheTier(clock: Clock): CacheTier {
  const resources = new Map<string, Resource>();
  const live = (name: string): Resource | undefined => {
    const found = resources.get(name);
    if (found === undefined || found.untilMs > clock.nowMs()) return found;
    resources.delete(name);
    return undefined;
  };
  return {
    get: (name, key) => Promise.resolve(live(name)?.values.get(key) ?? null),

    put(name, key, value, ttlMs) {
      const resource = live(name) ?? { values: new Map(), untilMs: 0 };
      if (resource.values.size >= TIER_VALUES && !resource.values.has(key)) resource.values.clear();
      resource.values.set(key, value);
      resource.untilMs = Math.max(resource.untilMs, clock.nowMs() + ttlMs);
      resources.delete(name);
      resources.set(name, resource);
      const [oldest] = resources.keys();
      if (resources.size > MAX_RESOURCES && oldest !== undefined) resources.delete(oldest);
      return Promise.resolve();
    },

    drop(name) {
      resources.delete(name);
      return Promise.resolve();
    },
  };
}
