import { describe, expect, it } from 'vitest';
import { CounterCutter } from '../../../src/core/analysis/counter-reading.ts';
import { scrapeIntervalMs } from '../../../src/core/analysis/counter-samples.ts';
import { Pod, readingOf, series } from './scraped.ts';

const S = 5_000;

function podOf(name: string, phaseMs: number): Pod {
  const pod = new Pod(name, phaseMs, S);
  for (let atMs = 0; atMs < 60_000; atMs += 500) pod.count(atMs, 10, 0);
  return pod;
}

describe('versions that are scraped apart', () => {
  const [a, b, alsoA] = [podOf('a', 1_000), podOf('b', 3_000), podOf('a', 1_000)];

  it('are so in whichever of them a target is that the other does not have', () => {
    const apart = (canary: readonly Pod[], baseline: readonly Pod[]) =>
      new CounterCutter(readingOf(canary, baseline), S).cut(20_000, 25_000);
    expect(apart([a], [alsoA])).toMatchObject({ apart: false });
    expect(apart([a, b], [alsoA])).toMatchObject({ apart: true });
    expect(apart([alsoA], [a, b])).toMatchObject({ apart: true });
  });
});

it('refuses what counts backwards, as nothing that happens does', () => {
  const falling = [0, -5, -10, -15, -20].map((value, at) => ({ atMs: at * S, value }));
  const counters = { total: [[series({ instance: 'a' }, falling)]], bad: [[]] };
  const cutter = new CounterCutter({ canary: counters, baseline: null, up: [] }, S);
  expect(cutter.cut(S, 2 * S)).toMatchObject({
    cause: 'source-refused',
    detail: expect.stringContaining('backwards'),
  });
});

it('takes no outage between two samples for the time between scrapes', () => {
  const at = (times: readonly number[]) =>
    series(
      {},
      times.map((atMs) => ({ atMs, value: 1 })),
    );
  const regular = at(Array.from({ length: 40 }, (_, n) => n * 15_000));
  expect(scrapeIntervalMs([regular, at([0, 240_000])])).toBe(15_000);
  expect(scrapeIntervalMs([at([0, 15_000])])).toBe(15_000);
  expect(scrapeIntervalMs([at([0, 660_000])])).toBeNull();
});
