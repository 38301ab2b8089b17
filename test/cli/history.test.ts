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
