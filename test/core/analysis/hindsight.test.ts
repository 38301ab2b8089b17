import { expect, it } from 'vitest';
import { Hindsight, planOfThePast } from '../../../src/core/analysis/hindsight.ts';
import { plan, RULE } from '../rollout/plans.ts';

const INTERVAL_MS = 300_000;

it('nothing is known of an interval before it is over', () => {
  const past = new Hindsight(planOfThePast(plan({ abort: [{ ...RULE, overMs: INTERVAL_MS }] })));
  for (let k = 0; k < 8; k += 1) {
    const [fromMs, toMs] = [k * INTERVAL_MS, (k + 1) * INTERVAL_MS];
    past.pass(fromMs, toMs);
    past.count({
      rule: 0,
      fromMs,
      toMs,
      canary: { total: 1_000, bad: k >= 3 ? 500 : 5 },
      baseline: { total: 10_000, bad: 50 },
      apart: false,
      bet: 'all',
    });
    past.look(toMs);
  }
  const [rule] = past.report();
  // The fourth interval is the first bad one, and evidence takes three of them.
  expect(rule?.brokenAtMs).toBe(4 * INTERVAL_MS);
  expect(rule?.abortedAtMs).toBe(6 * INTERVAL_MS);
});
