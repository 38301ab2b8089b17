/**
 * Turns the visits of the cache lab into its table and says which promises were broken. Measures nothing.
 * @module
 */

import { grouped, quantile, table } from '../rig/numbers.mjs';

const HEAD = [
  'variant',
  'requests',
  'hit ratio',
  'stale share',
  'p50 ms',
  'p99 ms',
  'upstream requests',
  'upstream CPU s',
  'gateway CPU s',
  'outdated answers',
];

/**
 * `before` and `after`: what upstream and gateway had done and taken. `hitRatio`: answered from the store, fresh or
 * stale, of all reads; `staleShare`: stale, of all reads.
 */
export function figuresOf(variant, visit, before, after) {
  const { hit, stale } = visit.outcomes;
  const upstream = Object.fromEntries(
    Object.entries(after.did).map(([what, count]) => [what, count - before.did[what]]),
  );
  return {
    id: variant.id,
    label: variant.label,
    fresh: variant.fresh,
    reads: visit.reads,
    updates: visit.updates,
    outcomes: visit.outcomes,
    notModified: visit.unchanged,
    hitRatio: (hit + stale) / visit.reads,
    staleShare: stale / visit.reads,
    p50Ms: quantile(visit.latenciesMs, 0.5),
    p99Ms: quantile(visit.latenciesMs, 0.99),
    upstream,
    upstreamCpuMs: (after.upstreamUs - before.upstreamUs) / 1000,
    gatewayCpuMs: (after.gatewayUs - before.gatewayUs) / 1000,
    wrong: visit.wrong,
    faults: visit.faults,
    examples: visit.examples,
  };
}

export function tableOf(figures) {
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  return table(
    HEAD,
    figures.map((each) => [
      each.label,
      grouped(each.reads + each.updates),
      percent(each.hitRatio),
      percent(each.staleShare),
      each.p50Ms.toFixed(1),
      each.p99Ms.toFixed(1),
      grouped(each.upstream.reads + each.upstream.updates),
      (each.upstreamCpuMs / 1000).toFixed(2),
      (each.gatewayCpuMs / 1000).toFixed(2),
      each.wrong,
    ]),
  );
}

/** What must hold whatever the mix and the machine; empty when all does. */
export function brokenPromises(figures) {
  const of = (id) => figures.find((each) => each.id === id);
  const broken = [];
  for (const { label, faults, examples, fresh, wrong } of figures) {
    if (faults > 0) broken.push(`${label}: ${faults} requests failed, such as ${examples.join(' | ')}`);
    if (fresh && wrong > 0) broken.push(`${label}: ${wrong} answers from before an update that was complete`);
  }
  if (of('no-cache').hitRatio > 0) broken.push('something was answered from a cache that is switched off');
  if (of('tags').hitRatio <= of('raw-keys').hitRatio)
    broken.push('normalised keys did not raise the hit ratio');
  return broken;
}
