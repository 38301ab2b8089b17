import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyWindow,
  foldSummary,
  recentBuckets,
  sumArm,
  sumLeftOut,
} from '../../../src/core/analysis/evidence-window.ts';
import { summary } from './summaries.ts';

const DAY_MS = 86_400_000;

describe('foldSummary', () => {
  it('counts a summary once, however often it is delivered', () => {
    const one = summary(1, { v2: { ok: 5, bad: 1 } });
    const window = [one, one, one].reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(window.buckets, 'v2')).toEqual({ bad: 1, total: 6, seen: 6 });
  });

  it('merges gateways and incarnations, each with sequences of its own', () => {
    const summaries = [
      summary(1, { v2: { ok: 1 } }),
      summary(1, { v2: { ok: 2 } }, { gateway: 'gw-2' }),
      summary(1, { v2: { ok: 4 } }, { incarnation: 'b' }),
    ];
    const window = summaries.reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(window.buckets, 'v2').total).toBe(7);
    expect(window.buckets.length).toBe(1);
  });

  it('sums what gateways left out of segments, of both versions', () => {
    const [v1, v2] = [{ route: 2 }, { route: 1, endpoint: 4 }];
    const sent = summary(1, { v1: { ok: 9 }, v2: { ok: 9 } });
    const versions = Object.fromEntries(
      Object.entries(sent.versions).map(([name, of]) => [name, { ...of, leftOut: name === 'v1' ? v1 : v2 }]),
    );
    const both = [sent, { ...sent, gateway: 'gw-2' }].map((each) => ({ ...each, versions }));
    const window = [...both, summary(2, { v1: { ok: 1 } })].reduce(foldSummary, emptyWindow(60_000));
    expect(sumLeftOut(window.buckets)).toEqual({ route: 6, endpoint: 8 });
  });

  it('knows from a gap in the sequence how many summaries are missing', () => {
    const window = [summary(1, {}), summary(5, {})].reduce(foldSummary, emptyWindow(60_000));
    expect(window.lostSummaries).toBe(3);
  });

  it('property: the order among gateways makes no difference', () => {
    const second = fc.record({
      second: fc.integer({ min: 1, max: 50 }),
      gateway: fc.constantFrom('a', 'b', 'c'),
      ok: fc.nat(9),
      bad: fc.nat(9),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(second, { selector: (s) => `${s.second}${s.gateway}`, maxLength: 60 }),
        (seconds) => {
          const summaries = seconds.map(({ second, gateway, ok, bad }) =>
            summary(second, { v1: { ok, bad } }, { gateway }),
          );
          const byTime = summaries.toSorted((a, b) => a.secondMs - b.secondMs);
          const byGateway = byTime.toSorted((a, b) =>
            a.gateway < b.gateway ? -1 : a.gateway > b.gateway ? 1 : 0,
          );
          const fold = (list: typeof summaries) =>
            list
              .reduce(foldSummary, emptyWindow(600_000))
              .buckets.map(({ startMs, arms }) => [startMs, arms.v1?.bad, arms.v1?.total]);
          expect(fold(byGateway)).toEqual(fold(byTime));
        },
      ),
    );
  });

  it('drops what is older than its span', () => {
    const window = Array.from({ length: 100 }, (_, i) => summary(i + 1, { v1: { ok: 1 } })).reduce(
      foldSummary,
      emptyWindow(30_000),
    );
    expect(sumArm(window.buckets, 'v1').total).toBe(30);
  });

  it('keeps a window of a day in a bounded number of buckets', () => {
    const seconds = Array.from({ length: 5000 }, (_, i) =>
      summary(i * 20 + 1, { v1: { ok: 1 } }, { sequence: i + 1 }),
    );
    const window = seconds.reduce(foldSummary, emptyWindow(DAY_MS));
    expect(window.buckets.length).toBeLessThanOrEqual(901);
  });
});

describe('recentBuckets', () => {
  it('looks back from the newest second, not from a clock', () => {
    const window = [1, 2, 3, 4, 5]
      .map((second) => summary(second, { v1: { ok: second } }))
      .reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(recentBuckets(window, 2000), 'v1').total).toBe(9);
  });
});
