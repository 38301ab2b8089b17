/**
 * The rate limits and quotas of one route, compiled: what to take for a request, and what the client is told
 * (RateLimit fields of the IETF draft "RateLimit header fields for HTTP"). Counts nothing itself.
 * @module
 */

import type { QuotaPolicy, RateLimitPolicy, RouteLimits } from '../config/policies/limits.ts';
import type { WhenDown } from '../config/policies/limits-schema.ts';
import { rateLimitOf } from '../core/policy/gcra.ts';
import type { LimitTake } from '../core/policy/limit-table.ts';
import { quotaWindow } from '../core/policy/quota.ts';
import type { LimitVerdict } from './limit-keeper.ts';
import { compileLimitKey } from './limit-key.ts';
import type { LimitCounts, LimitMetrics } from './limit-metrics.ts';
import type { LabelledRoute } from './metric-labels.ts';
import type { StickySubject } from './sticky.ts';

export interface CompiledLimit {
  readonly name: string;
  readonly kind: 'rate' | 'quota';
  readonly counts: LimitCounts;
  readonly take: (exchange: StickySubject, nowMs: number) => LimitTake;
}

export interface CompiledLimits {
  readonly limits: readonly CompiledLimit[];
  readonly whenDown: readonly WhenDown[];
  /** Value of RateLimit-Policy. */
  readonly policy: string;
}

/** Null when the route has none, so that it costs nothing. */
export function compileLimits(
  { rateLimits, quotas }: RouteLimits,
  route: LabelledRoute,
  metrics: LimitMetrics,
): CompiledLimits | null {
  if (rateLimits.length + quotas.length === 0) return null;
  const counts = (name: string): LimitCounts => metrics.counts(route, name);
  return {
    limits: [
      ...rateLimits.map((rate) => compileRate(rate, route.name, counts(rate.name))),
      ...quotas.map((quota) => compileQuota(quota, route.name, counts(quota.name))),
    ],
    whenDown: [...rateLimits, ...quotas].map((each) => each.whenDown),
    policy: [...rateLimits.map(ratePolicy), ...quotas.map(quotaPolicy)].join(', '),
  };
}

function compileRate(rate: RateLimitPolicy, route: string, counts: LimitCounts): CompiledLimit {
  const { name } = rate;
  const { intervalUs, burst } = rateLimitOf(rate.count, rate.periodMs, rate.burst);
  const subject = compileLimitKey(rate.key, route);
  const limit = `${name}:${intervalUs}:${burst}`;
  return {
    name,
    kind: 'rate',
    counts,
    take: (exchange) => ({ kind: 'rate', limit, subject: subject(exchange), intervalUs, burst }),
  };
}

function compileQuota(quota: QuotaPolicy, route: string, counts: LimitCounts): CompiledLimit {
  const { name, limit: max, per } = quota;
  const subject = compileLimitKey(quota.key, route);
  // Quotas without a name are called after their period: what they allow tells them apart.
  const limit = `${name}:${per}:${max}`;
  let { startMs, endMs } = quotaWindow(per, 0);
  return {
    name,
    kind: 'quota',
    counts,
    take(exchange, nowMs) {
      if (nowMs < startMs || nowMs >= endMs) ({ startMs, endMs } = quotaWindow(per, nowMs));
      return { kind: 'quota', limit, subject: subject(exchange), max, startMs, endMs };
    },
  };
}

/** What can be used at once, and the time in which it is whole again: that is what a client can rely on. */
function ratePolicy({ name, count, periodMs, burst }: RateLimitPolicy): string {
  return `"${name}";q=${burst};w=${Math.max(1, Math.ceil((burst * periodMs) / count / 1000))}`;
}

/** Months differ in length, so they have no window. */
function quotaPolicy({ name, limit, per }: QuotaPolicy): string {
  return `"${name}";q=${limit}${per === 'month' ? '' : `;w=${per === 'day' ? 86_400 : 3_600}`}`;
}

/** Value of RateLimit: what is left of each limit; empty when nothing is known. */
export function remainingText({ limits }: CompiledLimits, { answers }: LimitVerdict): string {
  let text = '';
  for (let i = 0; i < answers.length; i += 1) {
    const answer = answers[i] ?? null;
    if (answer === null) continue;
    const resetS = Math.ceil((answer.allowed ? answer.resetMs : answer.retryAfterMs) / 1000);
    text += `${text === '' ? '' : ', '}"${limits[i]?.name ?? ''}";r=${answer.remaining};t=${resetS}`;
  }
  return text;
}
