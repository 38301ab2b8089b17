import { describe, expect, it } from 'vitest';
import { fastestRamp } from '../../../src/core/analysis/ramp.ts';
import { plan } from '../rollout/plans.ts';

const TRAFFIC = { requestsPerSecond: 200, errorRate: 0.005 };

describe('the fastest ramp within a budget', () => {
  it('ascends to 100 % and keeps the worst release within it', () => {
    const ramp = fastestRamp(plan(), TRAFFIC, 100);
    const weights = ramp?.steps.map(({ weightBp }) => weightBp) ?? [];
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect(weights.at(-1)).toBe(10_000);
    expect(ramp?.worst.failures).toBeLessThanOrEqual(100);
    expect(ramp?.durationMs).toBe(ramp?.steps.reduce((sum, { holdMs }) => sum + holdMs, 0));
  });

  it('is no slower with a larger budget, and begins no smaller', () => {
    const ramps = [50, 100, 400, 2_000].map((budget) => fastestRamp(plan(), TRAFFIC, budget));
    const durations = ramps.map((ramp) => ramp?.durationMs ?? Number.POSITIVE_INFINITY);
    expect(durations).toEqual([...durations].sort((a, b) => b - a));
    const first = ramps.map((ramp) => ramp?.steps[0]?.weightBp ?? 0);
    expect(first).toEqual([...first].sort((a, b) => a - b));
  });

  it('takes as long as it needs to see the regression that the rule names', () => {
    const quick = fastestRamp(plan(), { requestsPerSecond: 2_000, errorRate: 0.005 }, 100_000);
    const slow = fastestRamp(plan(), { requestsPerSecond: 20, errorRate: 0.005 }, 100_000);
    expect(slow?.durationMs).toBeGreaterThan(quick?.durationMs ?? 0);
    expect(fastestRamp(plan(), { requestsPerSecond: 0.1, errorRate: 0.005 }, 100_000)).toBeNull();
  });

  it('is none where even the smallest first step costs more', () => {
    expect(fastestRamp(plan(), { requestsPerSecond: 20_000, errorRate: 0.005 }, 5)).toBeNull();
  });
});
