import { describe, expect, it } from 'vitest';
import type { CounterInterval } from '../../../src/core/analysis/counter-interval.ts';
import type { CounterReading } from '../../../src/core/analysis/counter-reading.ts';
import { CounterTrack } from '../../../src/core/analysis/counter-track.ts';
import type { WeightMove } from '../../../src/core/analysis/weight-moves.ts';
import type { Rule } from '../../../src/core/domain/rule.ts';
import { RULE } from '../rollout/plans.ts';
import { Pod, readingOf, series } from './scraped.ts';

const S = 15_000;
/** Start of the run: Prometheus has been scraping for ten minutes. */
const START = 600_000;
const ratio: Rule = { ...RULE, source: 'prometheus', overMs: 60_000 };
const limit: Rule = { ...ratio, condition: { kind: 'rate-limit', limit: 0.01 } };

function track(rule: Rule = ratio, countedToMs: number | null = null): CounterTrack {
  return new CounterTrack({ rule, at: 0, sinceMs: START, countedToMs, scrapeMs: null });
}

/** A canary and a baseline pod: 2 and 20 requests a second, every tenth of the canary's fails. */
function pods(untilMs: number): { canary: Pod; baseline: Pod } {
  const canary = new Pod('canary', 4_000, S);
  const baseline = new Pod('baseline', 11_000, S);
  for (let atMs = 500; atMs < untilMs; atMs += 1000) {
    canary.count(atMs, 2, Math.floor(atMs / 1000) % 5 === 0 ? 1 : 0);
    baseline.count(atMs, 20, 0);
  }
  return { canary, baseline };
}

function read(
  each: CounterTrack,
  { canary, baseline }: { canary: Pod; baseline: Pod },
  nowMs: number,
  changesMs: readonly number[] = [START],
  mirrors: readonly boolean[] = [],
): readonly CounterInterval[] {
  return each.advance(
    readingOf([canary], [baseline], nowMs),
    each.next(nowMs),
    nowMs,
    movesAt(changesMs, mirrors),
  );
}

function movesAt(changesMs: readonly number[], mirrors: readonly boolean[] = []): readonly WeightMove[] {
  return changesMs.map((atMs, at) => ({ fromMs: atMs, toMs: atMs, mirrors: mirrors[at] === true }));
}

const sum = (intervals: readonly CounterInterval[], of: (each: CounterInterval) => number): number =>
  intervals.reduce((total, each) => total + of(each), 0);

describe('reading counters on', () => {
  it('hands out intervals of a scrape that touch, share nothing, and leave nothing out', () => {
    const targets = pods(1_200_000);
    const one = track();
    const intervals: CounterInterval[] = [];
    for (let nowMs = START; nowMs < 1_200_000; nowMs += 10_000) intervals.push(...read(one, targets, nowMs));
    for (const [at, each] of intervals.entries()) {
      expect([each.fromMs, each.toMs - each.fromMs]).toEqual([START + at * S, S]);
    }
    // Every target was scraped once in each of them; what the first reached back to is another run's.
    expect(intervals[0]).toMatchObject({ canary: { total: 0 }, bet: 'nothing' });
    expect(
      intervals.slice(1).every(({ canary, baseline }) => canary.total === 30 && baseline.total === 300),
    ).toBe(true);
    expect(intervals.length).toBeGreaterThan(35);
  });

  it('waits for a scrape that is late, and counts it where it belongs', () => {
    const { canary, baseline } = pods(700_000);
    const nowMs = 645_000;
    const late = readingOf([canary], [baseline], nowMs);
    // The scrape at 634 s is stored twenty seconds late.
    const behind: CounterReading = { ...late, canary: readingOf([canary], [], 633_000).canary };
    const one = track();
    expect(one.advance(behind, one.next(nowMs), nowMs, movesAt([START])).map(({ toMs }) => toMs)).toEqual([
      615_000,
    ]);
    const next = one.advance(late, one.next(nowMs), nowMs, movesAt([START]));
    expect(next).toMatchObject([{ fromMs: 615_000, toMs: 630_000, canary: { total: 30 } }]);
  });

  it('goes on without a pod that has gone, and says so when it was the only one', () => {
    const { canary, baseline } = pods(700_000);
    for (let atMs = 700_500; atMs < 800_000; atMs += 1000) baseline.count(atMs, 20, 0);
    const one = track();
    const early = read(one, { canary, baseline }, 710_000);
    expect(one.gap).toBeNull();
    const intervals = [...early, ...read(one, { canary, baseline }, 800_000)];
    expect(intervals.at(-1)?.toMs).toBe(780_000);
    expect(one.gap).toMatchObject({ cause: 'stale', detail: expect.stringContaining('every 15s') });
    // The same the other way round is a comparison that has lost its baseline.
    const other = track();
    other.advance(readingOf([baseline], [canary], 800_000), other.next(800_000), 800_000, movesAt([START]));
    expect(other.gap).toMatchObject({ cause: 'no-baseline' });
  });

  it('is stale when nothing new comes for two and a half scrapes', () => {
    const targets = pods(700_000);
    const one = track();
    read(one, targets, 705_000);
    read(one, targets, 742_000);
    expect(one.gap).toBeNull();
    read(one, targets, 743_000);
    expect(one.gap).toMatchObject({ cause: 'stale' });
  });

  it('says which series are missing', () => {
    const { canary, baseline } = pods(700_000);
    const gapOf = (rule: Rule, reading: CounterReading) => {
      const one = track(rule);
      one.advance(reading, one.next(700_000), 700_000, movesAt([START]));
      return one.gap;
    };
    expect(gapOf(ratio, readingOf([], [baseline]))).toMatchObject({ cause: 'empty' });
    expect(gapOf(ratio, readingOf([canary], []))).toMatchObject({ cause: 'no-baseline' });
    expect(gapOf(limit, readingOf([canary], []))).toBeNull();
  });

  it('refuses counters of something else than events', () => {
    const seconds = series(
      { instance: 'a' },
      [0, 1, 2, 3].map((at) => ({ atMs: START + at * S, value: at / 3 })),
    );
    const one = track(limit);
    const reading = { canary: { total: [[seconds]], bad: [[]] }, baseline: null, up: [] };
    expect(one.advance(reading, one.next(660_000), 660_000, movesAt([START]))).toEqual([]);
    expect(one.gap).toMatchObject({ cause: 'source-refused', detail: expect.stringContaining('fractions') });
  });
});

describe('intervals in which weights moved', () => {
  const betsAround = (rule: Rule, changeMs: number) =>
    read(track(rule), pods(800_000), 760_000, [START, changeMs]).map(({ toMs, bet }) => [toMs, bet]);

  it('are not bet on by comparisons, and those before it not for the new step', () => {
    expect(betsAround(ratio, 685_000).slice(1, 9)).toEqual([
      // The start of the run was a change as well.
      [630_000, 'nothing'],
      [645_000, 'worse'],
      [660_000, 'worse'],
      [675_000, 'worse'],
      [690_000, 'nothing'],
      [705_000, 'nothing'],
      [720_000, 'all'],
      [735_000, 'all'],
    ]);
  });

  it('count against a fixed limit, but for no step', () => {
    expect(betsAround(limit, 685_000).slice(4, 8)).toEqual([
      [675_000, 'worse'],
      [690_000, 'worse'],
      [705_000, 'worse'],
      [720_000, 'all'],
    ]);
  });
});

describe('intervals of a step that mirrors', () => {
  const around = (rule: Rule) =>
    read(track(rule), pods(800_000), 760_000, [START, 685_000], [true, false]).map(
      ({ toMs, canary, baseline, bet }) => [toMs, canary.total, baseline.total, bet],
    );

  it('count nothing and win nothing, though the canary counts what it is sent', () => {
    for (const rule of [ratio, limit]) {
      const intervals = around(rule);
      const mirrored = intervals.filter(([toMs]) => (toMs as number) <= 705_000);
      expect(mirrored).toHaveLength(7);
      expect(mirrored).toEqual(mirrored.map(([toMs]) => [toMs, 0, 0, 'nothing']));
      expect(intervals.slice(7)).toEqual(
        [720_000, 735_000, 750_000].slice(0, intervals.length - 7).map((toMs) => [toMs, 30, 300, 'all']),
      );
    }
  });
});

describe('an operator that goes on where another ended', () => {
  it('fills its window and hands out every other interval once, whenever it was stopped', () => {
    const targets = pods(1_200_000);
    const whole = read(track(), targets, 1_190_000);
    for (const stopMs of [640_000, 701_000, 880_000]) {
      const before = read(track(), targets, stopMs);
      const countedToMs = before.at(-1)?.toMs ?? START;
      const after = read(track(ratio, countedToMs), targets, 1_190_000);
      const recalled = after.filter(({ fromMs }) => fromMs < countedToMs);
      expect(recalled[0]?.fromMs).toBe(Math.max(START, countedToMs - ratio.overMs));
      expect(recalled.at(-1)?.toMs).toBe(countedToMs);
      expect([...before, ...after.slice(recalled.length)]).toEqual(whole);
    }
  });

  it('makes up for hours in parts, with the same counts as if it had been there', () => {
    const targets = pods(5 * 3_600_000);
    const nowMs = 4 * 3_600_000;
    const one = track(ratio, START + S);
    const intervals: CounterInterval[] = [];
    let reads = 0;
    for (let past = true; past; reads += 1) {
      const span = one.next(nowMs);
      past = span.past;
      const { canary, baseline } = targets;
      intervals.push(
        ...one.advance(readingOf([canary], [baseline], span.toMs), span, nowMs, movesAt([START])),
      );
    }
    expect(reads).toBeGreaterThan(20);
    const counted = intervals.filter(({ fromMs }) => fromMs >= START + S);
    expect(sum(counted, ({ canary }) => canary.total)).toBe(counted.length * 30);
    expect(counted.at(-1)?.toMs).toBeGreaterThan(nowMs - 3 * S);
  });
});
