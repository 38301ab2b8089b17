import { describe, expect, it } from 'vitest';
import { BucketCutter } from '../../../src/core/analysis/bucket-seconds.ts';
import { binFloorUs } from '../../../src/core/analysis/histogram.ts';
import { series } from './scraped.ts';

const S = 15_000;

/** Cumulative counts of a histogram at scrape 0 and at scrape 1, by bound. */
function buckets(counts: Readonly<Record<string, readonly [number, number]>>, pod = 'a') {
  return Object.entries(counts).map(([le, values]) =>
    series(
      { instance: pod, le },
      values.map((value, at) => ({ atMs: at * S, value })),
    ),
  );
}

/** Latency in milliseconds and count, in pairs. */
function latenciesOf(wire: readonly number[]): readonly (readonly [number, number])[] {
  return wire.flatMap((bin, at) =>
    at % 2 === 0 ? [[Math.round(binFloorUs(bin) / 1000), wire[at + 1] ?? 0] as const] : [],
  );
}

const CUMULATIVE = { '0.1': [100, 150], '0.25': [110, 180], '1': [110, 185], '+Inf': [111, 190] } as const;

describe('buckets of Prometheus', () => {
  it('count the canary at their lower bounds and the baseline at their upper ones', () => {
    const lower = new BucketCutter(buckets(CUMULATIVE), 'lower', S).cut(0, S);
    expect(lower).toMatchObject({ total: 79, seen: 79, bad: 0 });
    expect(latenciesOf(lower.latencyUs)).toEqual(
      [
        [0, 50],
        [100, 20],
        [246, 5],
        [999, 4],
      ].map(([ms, count]) => [expect.closeTo(ms as number, -1), count]),
    );
    const upper = latenciesOf(new BucketCutter(buckets(CUMULATIVE), 'upper', S).cut(0, S).latencyUs);
    expect(upper.map(([, count]) => count)).toEqual([50, 20, 5, 4]);
    expect(upper[0]?.[0]).toBeGreaterThanOrEqual(100);
    expect(upper[2]?.[0]).toBeGreaterThanOrEqual(1000);
    expect(upper[3]?.[0]).toBeGreaterThan(3_600_000);
  });

  it('are summed over targets, and are quiet without requests', () => {
    const both = [...buckets(CUMULATIVE), ...buckets(CUMULATIVE, 'b')];
    expect(new BucketCutter(both, 'lower', S).cut(0, S).total).toBe(158);
    expect(new BucketCutter(both, 'lower', S).cut(S, 2 * S)).toMatchObject({ total: 0, latencyUs: [] });
  });
});
