/**
 * Policies: follows `extends`, merges a route's own fields over them, and fills in the defaults.
 * Owns the rules of merging; what the fields do is the data plane's business.
 * @module
 */

import { suggestion } from './edit-distance.ts';
import type { Route } from './gateway-model.ts';
import type { GatewayYaml } from './gateway-schema.ts';
import { checkAdaptive, completeAdaptive, mergeAdaptive } from './policies/adaptive.ts';
import { checkBots, completeBots, mergeBots } from './policies/bots.ts';
import { checkBreaker, completeBreaker, mergeBreaker } from './policies/breaker.ts';
import { checkCache, completeCache, mergeCache } from './policies/cache.ts';
import { checkConcurrency, completeConcurrency, mergeConcurrency } from './policies/concurrency.ts';
import {
  checkFallback,
  checkHedge,
  completeFallback,
  completeHedge,
  mergeFallback,
  mergeHedge,
} from './policies/fallback.ts';
import { completeIdempotency, mergeIdempotency } from './policies/idempotency.ts';
import { checkAuth, completeAuth, type KnownProviders, mergeAuth } from './policies/identity.ts';
import { checkIp, completeIp, mergeIp } from './policies/ip.ts';
import { completeLifecycle, mergeLifecycle } from './policies/lifecycle.ts';
import { checkLimitFields, completeLimits, mergeLimits } from './policies/limits.ts';
import { completeMirror, mergeMirror } from './policies/mirror.ts';
import {
  checkPurgeOnSuccess,
  completePurgeOnSuccess,
  mergePurgeOnSuccess,
} from './policies/purge-on-success.ts';
import { checkRetry, completeRetry, mergeRetry } from './policies/retry.ts';
import { checkTimeout, completeTimeout, mergeTimeout } from './policies/timeout.ts';
import { completeTranscode } from './policies/transcode.ts';
import { checkTransform, completeTransform, TRANSFORM_MERGES } from './policies/transform.ts';
import { completeUpgrade } from './policies/upgrade.ts';
import type { Path, YamlSource } from './yaml-source.ts';

type PolicyYaml = NonNullable<GatewayYaml['policies']>[string];
/** What a policy and a route may both set, as written. */
export type PolicyFields = Omit<PolicyYaml, 'extends'>;
export type RoutePolicy = Omit<Route, 'name' | 'methods' | 'host' | 'path' | 'conditions' | 'service'>;

const DEFAULT_MAX_BODY_BYTES = 10_485_760;

/** Each policy with everything it extends merged in. Unknown names and cycles are errors, then left out. */
export function resolvePolicies(
  source: YamlSource,
  policies: Readonly<Record<string, PolicyYaml>>,
): Map<string, PolicyFields> {
  const resolved = new Map<string, PolicyFields>();
  for (const name of Object.keys(policies)) resolve(name, []);
  return resolved;

  function resolve(name: string, chain: readonly string[]): PolicyFields {
    const done = resolved.get(name);
    if (done) return done;
    const policy = policies[name];
    if (!policy) return {};
    const parent = policy.extends;
    let base: PolicyFields = {};
    if (parent !== undefined) {
      const place = source.valueRange(['policies', name, 'extends']);
      const path = [...chain, name];
      if (path.includes(parent)) {
        const cycle = [...path.slice(path.indexOf(parent)), parent].join(' → ');
        source.findings.error(place, `policies must not extend each other in a circle: ${cycle}`);
      } else if (!Object.hasOwn(policies, parent)) {
        const others = Object.keys(policies).filter((other) => other !== name);
        source.findings.error(place, `there is no policy "${parent}"`, suggestion(parent, others));
      } else {
        base = resolve(parent, path);
      }
    }
    const merged = mergePolicy(base, policy);
    resolved.set(name, merged);
    return merged;
  }
}

type Merge<K extends keyof PolicyFields> = (
  base: PolicyFields[K],
  over: PolicyFields[K],
) => PolicyFields[K] | undefined;

/** A new policy is one more line here, one in `completePolicy` and one in `checkPolicyFields`. */
const MERGES: { readonly [K in keyof Required<PolicyFields>]: Merge<K> } = {
  timeout: mergeTimeout,
  retry: mergeRetry,
  breaker: mergeBreaker,
  fallback: mergeFallback,
  hedge: mergeHedge,
  cache: mergeCache,
  purgeOnSuccess: mergePurgeOnSuccess,
  auth: mergeAuth,
  maxBodyBytes: replace,
  rateLimits: mergeLimits,
  quotas: mergeLimits,
  concurrency: mergeConcurrency,
  adaptive: mergeAdaptive,
  mirror: mergeMirror,
  idempotency: mergeIdempotency,
  ip: mergeIp,
  bots: mergeBots,
  upgrade: replace,
  transcode: replace,
  lifecycle: mergeLifecycle,
  ...TRANSFORM_MERGES,
};

/** `over` wins field by field; `false` switches an inherited policy off. */
export function mergePolicy(base: PolicyFields, over: PolicyFields): PolicyFields {
  const merged: PolicyFields = {};
  for (const key of Object.keys(MERGES) as (keyof PolicyFields)[]) mergeField(merged, key, base, over);
  return merged;
}

function mergeField<K extends keyof PolicyFields>(
  merged: PolicyFields,
  key: K,
  base: PolicyFields,
  over: PolicyFields,
): void {
  const merge: Merge<K> = MERGES[key];
  const value = merge(base[key], over[key]);
  if (value !== undefined) merged[key] = value;
}

function replace<Value>(base: Value, over: Value): Value {
  return over ?? base;
}

/** Fills in what neither the route nor its policy sets. */
export function completePolicy(fields: PolicyFields): RoutePolicy {
  const { maxBodyBytes } = fields;
  return {
    timeout: completeTimeout(fields.timeout),
    retry: completeRetry(fields.retry),
    breaker: completeBreaker(fields.breaker),
    fallback: completeFallback(fields.fallback),
    hedge: completeHedge(fields.hedge),
    cache: completeCache(fields.cache),
    purgeOnSuccess: completePurgeOnSuccess(fields.purgeOnSuccess),
    auth: completeAuth(fields.auth),
    maxBodyBytes: maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    ...completeLimits(fields),
    concurrency: completeConcurrency(fields.concurrency),
    adaptive: completeAdaptive(fields.adaptive),
    mirror: completeMirror(fields.mirror),
    ...(fields.mirror === false && { unmirrored: true }),
    idempotency: completeIdempotency(fields.idempotency),
    ip: completeIp(fields.ip),
    bots: completeBots(fields.bots),
    upgrade: completeUpgrade(fields.upgrade),
    transcode: completeTranscode(fields.transcode),
    lifecycle: completeLifecycle(fields.lifecycle),
    transform: completeTransform(fields),
  };
}

/** Checks what can only be judged where it is written: names, and values that contradict each other. */
export function checkPolicyFields(
  source: YamlSource,
  path: Path,
  written: PolicyFields,
  { providers, services }: { readonly providers: KnownProviders; readonly services: readonly string[] },
): void {
  checkLimitFields(source, path, written);
  checkTransform(source, path, written);
  checkConcurrency(source, path, written.concurrency);
  checkAdaptive(source, path, written.adaptive);
  checkIp(source, path, written.ip);
  checkBots(source, path, written.bots);
  checkAuth(source, path, written.auth, providers);
  checkRetry(source, path, written.retry);
  checkTimeout(source, path, written.timeout);
  checkBreaker(source, path, written.breaker, written.timeout?.response);
  checkFallback(source, path, written.fallback, services);
  checkHedge(source, path, written.hedge, written.timeout?.response);
  checkCache(source, path, written.cache);
  checkPurgeOnSuccess(source, path, written.purgeOnSuccess);
}
