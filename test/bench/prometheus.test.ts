import { describe, expect, it } from 'vitest';
import { loadJudge, type PrometheusModule, type RandomModule } from './judges.ts';

const { Series, divide, histogramQuantile } = await loadJudge<PrometheusModule>('prometheus');
const { Random } = await loadJudge<RandomModule>('random');

/** Counts one event per second from `startS` on. */
const steady = (startS: number, perSecond = 1): number[] =>
  Array.from({ length: 1000 }, (_, at) => Math.max(0, (at + 1 - startS) * perSecond));

describe('a rate of scraped counters', () => {
  it('is right for a steady counter, whatever the phase of the scrapes', () => {
    for (const offset of [0, 4, 14]) {
      expect(new Series(steady(0, 7), offset).rate(600, 300)).toBeCloseTo(7, 10);
    }
  });

  it('is absent with fewer than two scrapes in the window', () => {
    expect(new Series(steady(0), 0).rate(14, 60)).toBeNull();
    expect(new Series(steady(0), 0).rate(600, 15)).toBeNull();
    expect(new Series(Array<number>(1000).fill(0), 0).rate(600, 300)).toBeNull();
  });

  it('does not see the events up to the first scrape of a series that is new', () => {
    const burst = Array.from({ length: 1000 }, (_, at) => (at < 500 ? 0 : 10));
    expect(new Series(burst, 0).rate(509, 300)).toBeNull();
    expect(new Series(burst, 0).rate(600, 300)).toBe(0);
  });

  it('sees nothing newer than the last scrape, and does not extrapolate below zero', () => {
    // Scrapes at 510 (10 events) and 525 (25): an increase of 15 in 15 s, zero 10 s before, 4 s to the end.
    expect(new Series(steady(500), 0).rate(529, 300)).toBeCloseTo((15 * ((15 + 7.5 + 4) / 15)) / 300, 10);
    expect(new Series(steady(508), 0).rate(529, 300)).toBeCloseTo((15 * ((15 + 2 + 4) / 15)) / 300, 10);
  });

  it('divides as PromQL does', () => {
    expect([divide(0, 0), divide(1, 0), divide(null, 1), divide(1, null)]).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      null,
      null,
    ]);
  });
});

describe('a quantile of buckets', () => {
  it('is interpolated within its bucket, and ends at the top bound', () => {
    expect(histogramQuantile(0.5, [10, 20], [5, 5, 0])).toBe(10);
    expect(histogramQuantile(0.75, [10, 20], [5, 5, 0])).toBe(15);
    expect(histogramQuantile(0.99, [10, 20], [5, 5, 90])).toBe(20);
    expect(histogramQuantile(0.5, [10, 20], [0, 0, 0])).toBeNaN();
  });
});

describe('seeded random numbers', () => {
  const moments = (draw: () => number, runs = 20_000): readonly [number, number] => {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < runs; i += 1) {
      const value = draw();
      sum += value;
      squares += value * value;
    }
    return [sum / runs, squares / runs - (sum / runs) ** 2];
  };

  it.each([0.01, 0.5, 5, 30, 200])('are Poisson with a mean of %d', (mean) => {
    const random = new Random(3);
    const [average, variance] = moments(() => random.poisson(mean));
    expect(Math.abs(average - mean)).toBeLessThan(5 * Math.sqrt(mean / 20_000));
    expect(variance / mean).toBeGreaterThan(0.9);
    expect(variance / mean).toBeLessThan(1.12);
  });

  it.each<[number, number]>([
    [10, 0.005],
    [200, 0.05],
    [50, 0.9],
    [2000, 0.3],
  ])('are binomial of %d at %d', (of, rate) => {
    const random = new Random(4);
    const [average, variance] = moments(() => random.binomial(of, rate));
    const expected = of * rate * (1 - rate);
    expect(Math.abs(average - of * rate)).toBeLessThan(5 * Math.sqrt(expected / 20_000) + 1e-9);
    expect(variance / expected).toBeGreaterThan(0.9);
    expect(variance / expected).toBeLessThan(1.1);
  });

  it('repeat with their seed and differ by stream', () => {
    const draw = (seed: number, stream: number): number => new Random(seed, stream).uniform();
    expect(draw(1, 0)).toBe(draw(1, 0));
    expect(new Set([draw(1, 0), draw(2, 0), draw(1, 1)]).size).toBe(3);
  });
});
