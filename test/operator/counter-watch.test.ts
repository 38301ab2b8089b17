/**
 * Counters that rules bet on, read in the background: each interval is handed out once, whatever the source does.
 */

import { describe, expect, it } from 'vitest';
import type { CounterInterval } from '../../src/core/analysis/counter-interval.ts';
import { emptyMemory } from '../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../src/core/domain/plan.ts';
import { type CounterWatch, createCounterWatch } from '../../src/operator/counter-watch.ts';
import type { MetricSource } from '../../src/ports/metric-source.ts';
import { plan, RULE } from '../core/rollout/plans.ts';
import { eventually } from '../support/eventually.ts';
import { ScrapedSource } from '../support/scraped-source.ts';

const S = 5_000;
const START = 600_000;
const begun = () => [{ fromMs: START, toMs: START, mirrors: false }];
const thePlan = plan({ abort: [RULE, { ...RULE, source: 'prometheus' }] });

/** Two pods from time 0 on; nothing is stored yet that comes after the start of the run. */
function storeUntil(untilMs: number): ScrapedSource {
  const pods = { startMs: 0, seconds: untilMs / 1000, scrapeMs: S } as const;
  const store = new ScrapedSource({ ...pods, v1: () => [20, 0], v2: () => [2, 1] });
  store.nowMs = START;
  return store;
}

function watchOf(
  source: MetricSource | null,
  countedToMs: number | null = null,
  of: Plan = thePlan,
): CounterWatch {
  const empty = emptyMemory(of);
  const rules = empty.rules.map((each) => (countedToMs === null ? each : { ...each, countedToMs }));
  const memory = { ...empty, rules };
  return createCounterWatch({ plan: of, sinceMs: START, memory, source, intervalMs: 1_000, scrapeMs: null });
}

/** What the watch hands out when it is asked at these times. */
async function intervalsOf(
  watch: CounterWatch,
  store: ScrapedSource,
  timesMs: readonly number[],
): Promise<CounterInterval[]> {
  const taken: CounterInterval[] = [];
  for (const nowMs of timesMs) {
    store.nowMs = nowMs;
    const before = store.asked.length;
    watch.poke(nowMs, begun);
    // Three selectors of both versions, and then the answers are worked on.
    await eventually(() => store.asked.length >= before + 6);
    await new Promise((resolve) => setImmediate(resolve));
    taken.push(...watch.take());
  }
  return taken;
}

const every = (fromMs: number, toMs: number, stepMs: number): number[] =>
  Array.from({ length: (toMs - fromMs) / stepMs }, (_, at) => fromMs + at * stepMs);

describe('the counter watch', () => {
  it('hands out intervals of the rules that bet on counters, one after another', async () => {
    const store = storeUntil(700_000);
    const watch = watchOf(store);
    expect(watch.gaps(START)).toMatchObject([null, { kind: 'none', cause: 'not-asked-yet' }]);
    const intervals = await intervalsOf(watch, store, every(START, 690_000, 2_000));
    expect(intervals.map(({ rule, fromMs }) => [rule, fromMs])).toEqual(
      intervals.map((_, at) => [1, START + at * S]),
    );
    expect(intervals.slice(1).map(({ canary, baseline }) => [canary, baseline])).toEqual(
      intervals.slice(1).map(() => [
        { total: 10, bad: 5 },
        { total: 100, bad: 0 },
      ]),
    );
    expect(intervals.length).toBeGreaterThan(15);
    expect(watch.gaps(690_000)).toEqual([null, null]);
    watch.close();
  });

  it('loses no interval to a source that is down, and says that it is', async () => {
    const store = storeUntil(800_000);
    const watch = watchOf(store);
    const before = await intervalsOf(watch, store, [START, 620_000]);
    store.fails = { kind: 'down', detail: 'connection refused' };
    watch.poke(640_000, begun);
    await eventually(() => {
      const gap = watch.gaps(640_000)[1];
      return gap?.kind === 'none' && gap.cause === 'source-down' && gap.detail === 'connection refused';
    });
    expect(watch.take()).toEqual([]);
    store.fails = null;
    const after = await intervalsOf(watch, store, [700_000]);
    expect([...before, ...after].map(({ fromMs }) => fromMs)).toEqual(every(START, 690_000 + S, S));
  });

  it('takes no answer that is long ago for evidence', async () => {
    const store = storeUntil(700_000);
    const watch = watchOf(store);
    await intervalsOf(watch, store, [650_000]);
    expect(watch.gaps(652_900)[1]).toBeNull();
    expect(watch.gaps(653_100)[1]).toMatchObject({ cause: 'source-slow' });
  });

  it('goes on after a restart where the memory ends, and reads hours at once', async () => {
    const untilMs = START + 3 * 3_600_000;
    const store = storeUntil(untilMs);
    store.nowMs = untilMs;
    const watch = watchOf(store, START + 60_000);
    watch.poke(untilMs, begun);
    const taken: CounterInterval[] = [];
    await eventually(() => {
      taken.push(...watch.take());
      return (taken.at(-1)?.toMs ?? 0) > untilMs - 4 * S;
    });
    expect(taken.map(({ fromMs }) => fromMs)).toEqual(taken.map((_, at) => START + at * S));
    watch.close();
  });

  it('says that no source is configured, and asks nobody for rules that telemetry judges', async () => {
    const watch = watchOf(null);
    watch.poke(START, begun);
    expect(watch.gaps(START)).toMatchObject([null, { cause: 'source-down' }]);
    const store = storeUntil(700_000);
    watchOf(store, null, plan({ abort: [RULE] })).poke(START, begun);
    expect(store.asked).toEqual([]);
  });
});
