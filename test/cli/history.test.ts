/** Latencies of the past around a change of weights. */

import { expect, it } from 'vitest';
import { judgeHistory } from '../../src/cli/history.ts';
import type { MetricSource } from '../../src/ports/metric-source.ts';
import { plan, RULE } from '../core/rollout/plans.ts';

const BASE = 1_700_000_000_000;
const S = 15_000;
const SLOWER = {
  ...RULE,
  condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
} as const;

/** The canary has 1 % of the traffic for half an hour, and then half of it. */
const source: MetricSource = {
  query: async () => ({ kind: 'empty' }),
  samples: async (selector, fromMs, toMs) => {
    const isCanary = selector.includes('"v2"');
    const of = (le: string) => {
      const [atMs, values]: [number[], number[]] = [[], []];
      let sum = 0;
      for (let n = 0; n <= 240; n += 1) {
        const share = n < 120 ? 0.01 : 0.5;
        sum += Math.round(3_000 * (isCanary ? share : 1 - share));
        const at = BASE + n * S;
        if (at <= fromMs || at > toMs) continue;
        atMs.push(at);
        values.push(sum);
      }
      return { labels: { job: 'g', instance: 'g', le }, atMs, values };
    };
    return { kind: 'series', series: [of('0.1'), of('+Inf')] };
  },
};

it('are not bet on by rules on quantiles either', async () => {
  const stretch = { fromMs: BASE, toMs: BASE + 3_600_000, stepMs: 60_000 };
  const { moved } = await judgeHistory(
    source,
    plan({ abort: [SLOWER] }),
    stretch,
    new AbortController().signal,
  );
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThan(3);
});

it('win nothing by an incident of both versions that began as the weights moved', async () => {
  // The second half of the interval, when the canary has its half of the traffic, is slow for everybody.
  const incident: MetricSource = {
    ...source,
    samples: async (selector, fromMs, toMs) => {
      const answer = await source.samples(selector, fromMs, toMs, new AbortController().signal);
      if (answer.kind !== 'series') return answer;
      const slow = selector.includes('"v2"') ? 1_450 : 750;
      const [fast, all] = answer.series;
      if (fast === undefined || all === undefined) return answer;
      const values = fast.values.map((value, at) =>
        (fast.atMs[at] ?? 0) >= BASE + 120 * S ? value - slow : value,
      );
      const bucket = (le: string) => ({ ...fast, labels: { ...fast.labels, le }, values });
      return { ...answer, series: [bucket('0.1'), bucket('0.5'), all] };
    },
  };
  const stretch = { fromMs: BASE, toMs: BASE + 3_600_000, stepMs: 15_000 };
  const signal = new AbortController().signal;
  const { moved, rules } = await judgeHistory(incident, plan({ abort: [SLOWER] }), stretch, signal);
  expect(moved).toBeGreaterThan(0);
  expect(rules[0]?.peak?.evidence).toBeLessThan(1.5);
});

it('comes to an end with steps that are longer than what is read at once', async () => {
  const stretch = { fromMs: BASE, toMs: BASE + 3_600_000, stepMs: 1_200_000 };
  const { intervals } = await judgeHistory(source, plan(), stretch, AbortSignal.timeout(30_000));
  expect(intervals).toBe(0);
});

it('judges on after an interval that could not be counted', async () => {
  const failing: MetricSource = {
    query: async () => ({ kind: 'empty' }),
    samples: async (selector, fromMs, toMs) => {
      if (selector.includes('reset')) return { kind: 'series', series: [] };
      const isBad = selector.includes('5..');
      const each = selector.includes('"v2"') ? (isBad ? 50 : 100) : isBad ? 1 : 900;
      const all = Array.from({ length: 40 }, (_, n) => n).filter(
        (n) => BASE + n * S > fromMs && BASE + n * S <= toMs,
      );
      const values = all.map((n) => n * each + (n === 1 && !isBad ? 0.5 : 0));
      const labels = { job: 'g', instance: 'g', status: isBad ? '500' : 'all' };
      return { kind: 'series', series: [{ labels, atMs: all.map((n) => BASE + n * S), values }] };
    },
  };
  const stretch = { fromMs: BASE, toMs: BASE + 585_000, stepMs: null };
  const { rules } = await judgeHistory(failing, plan(), stretch, AbortSignal.timeout(30_000));
  expect(rules[0]?.abortedAtMs).not.toBeNull();
  expect(rules[0]?.gap).toBeNull();
  // The evidence goes on after the second interval, and so do the numbers.
  expect(rules[0]?.summary).toContain('canary');
});
