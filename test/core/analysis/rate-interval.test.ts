import { describe, expect, it } from 'vitest';
import { logGamma, rateInterval } from '../../../src/core/analysis/rate-interval.ts';

describe('rateInterval', () => {
  it('holds the estimate, and narrows with the number of requests', () => {
    let width = 1;
    for (const total of [20, 200, 2_000, 20_000]) {
      const { low, high } = rateInterval(total / 20, total);
      expect(low).toBeLessThan(0.05);
      expect(high).toBeGreaterThan(0.05);
      expect(high - low).toBeLessThan(width);
      width = high - low;
    }
  });

  it.each([
    [0, 0, 0, 1],
    [0, 100, 0, 0.08],
    [100, 100, 0.92, 1],
  ])('of %d in %d is within %d and %d', (bad, total, least, most) => {
    const { low, high } = rateInterval(bad, total);
    expect(low).toBeGreaterThanOrEqual(least);
    expect(high).toBeLessThanOrEqual(most);
  });

  it('stays right at every look in at least 95 of 100 sequences', () => {
    let seed = 11;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    let missed = 0;
    for (let sequence = 0; sequence < 300; sequence += 1) {
      let bad = 0;
      for (let total = 1; total <= 2_000; total += 1) {
        if (random() < 0.03) bad += 1;
        if (total % 20 !== 0) continue;
        const { low, high } = rateInterval(bad, total);
        if (low <= 0.03 && high >= 0.03) continue;
        missed += 1;
        break;
      }
    }
    expect(missed).toBeLessThanOrEqual(15);
  });
});

describe('logGamma', () => {
  it.each([
    [1, 0],
    [5, Math.log(24)],
    [11, Math.log(3_628_800)],
    [1.5, Math.log(Math.sqrt(Math.PI) / 2)],
  ])('of %d is %d', (x, expected) => {
    expect(logGamma(x)).toBeCloseTo(expected, 10);
  });
});
