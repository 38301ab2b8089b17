/**
 * A gateway with a route that caches, in front of an upstream whose answers a test writes. Knows no rule of caching.
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CachePolicy, GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import { completeCache } from '../../src/config/policies/cache.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from './gateway-config.ts';
import type { GatewayHarness, Reply } from './gateway-harness.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, call: number) => void;

/** A service whose versions all answer by `answer`, a route that caches and one that does not, for other methods. */
export async function cached(
  harness: GatewayHarness,
  answer: Answer,
  policy: Partial<CachePolicy> = {},
  route: Partial<Route> = {},
  config: Partial<GatewayConfig> = {},
): Promise<{
  gateway: Gateway;
  calls: () => number;
  seen: readonly IncomingMessage[];
  config: GatewayConfig;
}> {
  let calls = 0;
  const upstream = await harness.upstream((request, response) => {
    calls += 1;
    request.resume();
    answer(request, response, calls);
  });
  const service = serviceOf('shop', { v1: [upstream.url], v2: [upstream.url] });
  const whole = gatewayConfigOf([service], {
    routes: [
      routeOf('shop', { name: 'cached', methods: ['GET', 'HEAD'], cache: cachePolicyOf(policy), ...route }),
      routeOf('shop', { name: 'plain', methods: ['POST', 'PUT', 'DELETE'] }),
    ],
    ...config,
  });
  const gateway = await harness.gateway(whole);
  return { gateway, calls: () => calls, seen: upstream.seen, config: whole };
}

export function cachePolicyOf(changes: Partial<CachePolicy>): CachePolicy {
  const policy = completeCache({});
  if (policy === null) throw new Error('an empty policy is a policy');
  return { ...policy, ...changes };
}

/** Sends the number of the call, with the given fields. */
export function numbered(fields: Record<string, string | string[]>): Answer {
  return (_request, response, count) => response.writeHead(200, fields).end(`call ${count}`);
}

export const status = (reply: Reply): string => String(reply.headers['cache-status']);
