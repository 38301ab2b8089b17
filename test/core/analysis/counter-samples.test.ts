import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  completeToMs,
  countBetween,
  Scrapes,
  scrapeIntervalMs,
  seriesKey,
  united,
} from '../../../src/core/analysis/counter-samples.ts';
import { type Sample, series } from './scraped.ts';

const SCRAPE_MS = 15_000;
const A = { job: 'pods', instance: 'a' };

/** Samples every scrape interval from 0 on; null: not scraped. */
function scraped(values: readonly (number | null)[]): readonly Sample[] {
  return values.flatMap((value, at) => (value === null ? [] : [{ atMs: at * SCRAPE_MS, value }]));
}

function counted(values: readonly (number | null)[], fromScrape: number, toScrape: number) {
  const one = series(A, scraped(values));
  const span = { fromMs: fromScrape * SCRAPE_MS, toMs: toScrape * SCRAPE_MS };
  return countBetween([one], new Scrapes([one]), span, SCRAPE_MS);
}

describe('what counters have counted between scrapes', () => {
  it('is the difference of their values, exactly, and since when', () => {
    expect(counted([100, 103, 110, 110], 0, 3)).toEqual({ count: 10, sinceMs: 0 });
    expect(counted([100, 103, 110, 110], 1, 2)).toEqual({ count: 7, sinceMs: SCRAPE_MS });
  });

  it('falls to the sample that shows it, wherever an interval ends', () => {
    const one = series(A, scraped([0, 5, 9]));
    const between = (fromMs: number, toMs: number) =>
      countBetween([one], new Scrapes([one]), { fromMs, toMs }, SCRAPE_MS);
    expect(between(20_000, 29_999).count).toBe(0);
    expect(between(20_000, 30_000)).toEqual({ count: 4, sinceMs: 15_000 });
  });

  it('begins again at 0 when the counter falls, as after a restart', () => {
    expect(counted([50, 57, 3, 5], 0, 3).count).toBe(7 + 3 + 2);
  });

  it('is unknown over a gap that nobody can tell the time of', () => {
    expect(counted([10, 20, null, null, 80, 81], 0, 5).count).toBe(10 + 1);
    // Two scrapes missed: 45 s, more than two and a half intervals.
    expect(counted([10, 20, null, 50], 0, 3).count).toBe(40);
  });

  it('counts nothing of the first sample of a target: it may be of any age', () => {
    expect(counted([1000, 1001], -1, 1).count).toBe(1);
  });

  it('counts a series from 0 that appears on a target which was scraped before', () => {
    const requests = series({ ...A, code: '200' }, scraped([10, 20, 30]));
    const failures = series({ ...A, code: '500' }, [{ atMs: 2 * SCRAPE_MS, value: 4 }]);
    const span = { fromMs: SCRAPE_MS, toMs: 2 * SCRAPE_MS };
    const scrapes = new Scrapes([requests, failures]);
    expect(countBetween([failures], scrapes, span, SCRAPE_MS)).toEqual({ count: 4, sinceMs: SCRAPE_MS });
    expect(countBetween([failures], new Scrapes([failures]), span, SCRAPE_MS).count).toBe(0);
  });

  it('counts a series from 0 again that its process has lost and found', () => {
    const requests = series({ ...A, code: '200' }, scraped([10, 20, 1, 2, 3, 4]));
    const failures = series({ ...A, code: '500' }, scraped([6, 6, null, null, null, 2]));
    const span = { fromMs: 0, toMs: 5 * SCRAPE_MS };
    expect(countBetween([failures], new Scrapes([requests, failures]), span, SCRAPE_MS).count).toBe(2);
  });

  it('loses and repeats nothing, however the time is cut into intervals', () => {
    const steps = fc.array(fc.oneof(fc.nat({ max: 9 }), fc.constant('restart' as const)), {
      minLength: 3,
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, fc.array(fc.nat({ max: 620_000 }), { maxLength: 20 }), (grown, cuts) => {
        let value = 7;
        let events = 0;
        const samples: Sample[] = [{ atMs: 0, value }];
        for (const [at, more] of grown.entries()) {
          // Two requests between the restart and the scrape.
          value = more === 'restart' ? Math.min(2, value) : value + more;
          events += more === 'restart' ? (value < samples[at]!.value ? value : 0) : more;
          samples.push({ atMs: (at + 1) * SCRAPE_MS, value });
        }
        const one = series(A, samples);
        const edges = [0, ...cuts.sort((a, b) => a - b), 1_000_000];
        let sum = 0;
        for (const [at, toMs] of edges.slice(1).entries()) {
          sum += countBetween([one], new Scrapes([one]), { fromMs: edges[at]!, toMs }, SCRAPE_MS).count;
        }
        expect(sum).toBe(events);
      }),
      { seed: 5 },
    );
  });
});

describe('the scrape interval', () => {
  it('is the usual one of what is scraped least often, whatever single scrapes are late', () => {
    const often = series(A, scraped([1, 2, 3, null, 4, 5, 6]));
    const rarely = series(
      { instance: 'b' },
      [0, 30, 60, 91].map((s) => ({ atMs: s * 1000, value: s })),
    );
    expect(scrapeIntervalMs([often])).toBe(SCRAPE_MS);
    expect(scrapeIntervalMs([often, rarely])).toBe(30_000);
  });

  it('is unknown before the second scrape', () => {
    expect(scrapeIntervalMs([series(A, scraped([1])), series(A, [])])).toBeNull();
  });
});

describe('up to when samples are complete', () => {
  const upTo = (instance: string, last: number) =>
    series({ job: 'pods', instance }, [{ atMs: last, value: 1 }]);

  it('is what the target that is furthest behind says: its late scrape is waited for', () => {
    expect(completeToMs([[upTo('a', 60_000), upTo('b', 47_000)]], SCRAPE_MS)).toBe(47_000);
    expect(completeToMs([[upTo('a', 60_000)], [upTo('a', 45_000)]], SCRAPE_MS)).toBe(45_000);
  });

  it('does not depend on a target that has been gone for two and a half scrapes', () => {
    expect(completeToMs([[upTo('a', 60_000), upTo('b', 22_500)]], SCRAPE_MS)).toBe(22_500);
    expect(completeToMs([[upTo('a', 60_000), upTo('b', 22_499)]], SCRAPE_MS)).toBe(60_000);
  });

  it('does not depend on a series that its target no longer exposes', () => {
    const gone = series({ job: 'pods', instance: 'a', code: '500' }, [{ atMs: 40_000, value: 1 }]);
    expect(completeToMs([[upTo('a', 60_000), gone]], SCRAPE_MS)).toBe(60_000);
  });

  it('is unknown without samples', () => {
    expect(completeToMs([[]], SCRAPE_MS)).toBeNull();
  });
});

it('takes a series that two selectors match once', () => {
  const one = series({ b: '2', a: '1' }, scraped([1, 2]));
  const same = series({ a: '1', b: '2' }, scraped([1, 2]));
  expect(seriesKey(one.labels)).toBe(seriesKey(same.labels));
  expect(united([[one], [same, series(A, [])]])).toHaveLength(2);
});
