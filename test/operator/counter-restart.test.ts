/**
 * Runs of the real operator whose rules read counters: operators die, and no interval is lost or bet on twice.
 */

import { describe, expect, it } from 'vitest';
import type { CounterInterval } from '../../src/core/analysis/counter-interval.ts';
import type { Plan } from '../../src/core/domain/plan.ts';
import { readFrame, readHead } from '../../src/core/rollout/recording.ts';
import { firstDifference, Replay } from '../../src/core/rollout/replay.ts';
import { plan, RULE } from '../core/rollout/plans.ts';
import { type RecordedRun, recordRun } from '../support/recorded-run.ts';
import { ScrapedSource } from '../support/scraped-source.ts';
import { START_MS } from '../support/sluice-operator.ts';

const S = 2_000;
/** Seconds of scrapes before the run. */
const BEFORE = 60;

const thePlan: Plan = plan({
  abort: [{ ...RULE, source: 'prometheus' }],
  steps: [
    { weightBp: 1_000, holdMs: 600_000, minHoldMs: 0, requests: 0, gate: null },
    { weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null },
  ],
});

/** From the 40th second of the run on, the canary fails as often as `failed` says of its 20 requests. */
function run(failed: number, maxSeconds: number, deaths: readonly number[]): Promise<RecordedRun> {
  const metrics = new ScrapedSource({
    startMs: START_MS - BEFORE * 1000,
    seconds: BEFORE + maxSeconds + 10,
    scrapeMs: S,
    v1: (second) => [180, second % 2],
    v2: (second) => [20, second > BEFORE + 40 ? failed : second % 20 === 0 ? 1 : 0],
  });
  const traffic = () => ({ v1: { ok: 180 }, v2: { ok: 20 } });
  // An end that writes everything down.
  const commands = { [maxSeconds]: { kind: 'abort', reason: 'enough' } } as const;
  return recordRun({ plan: thePlan, traffic, metrics, maxSeconds, deaths, commands });
}

/** What was handed to the judge, without what only filled windows again. */
function counted({ lines }: RecordedRun): readonly CounterInterval[] {
  const intervals: CounterInterval[] = [];
  for (const line of lines.slice(1)) {
    const frame = readFrame(line);
    if (frame.kind !== 'look') continue;
    // A session goes on from what it has found, which may be older than what the one before it had bet on.
    const found = frame.begins?.memory.rules[0]?.countedToMs;
    while (found !== undefined && (intervals.at(-1)?.toMs ?? 0) > found) intervals.pop();
    const next = intervals.at(-1)?.toMs ?? 0;
    intervals.push(...frame.intervals.filter(({ fromMs }) => fromMs >= next));
  }
  return intervals;
}

describe('a run whose operators die', () => {
  it('bets on every interval once, and remembers exactly what one operator would', async () => {
    const one = await run(0, 90, []);
    const many = await run(0, 90, [13, 14, 37, 38, 61, 83]);
    const intervals = counted(one);
    expect(intervals.length).toBeGreaterThan(38);
    expect(intervals.map(({ fromMs }) => fromMs)).toEqual(intervals.map((_, at) => START_MS + at * S));
    expect(counted(many)).toEqual(intervals);
    expect(many.memory.rules[0]?.countedToMs).toBe(one.memory.rules[0]?.countedToMs);
    expect(many.memory.rules[0]?.wealth).toEqual(one.memory.rules[0]?.wealth);
    expect(one.memory.rules[0]?.wealth?.worse.seconds).toBeGreaterThan(60);
  });

  it('aborts a canary that fails, with the numbers of its counters, and is decided alike again', async () => {
    const recorded = await run(5, 120, [21, 47]);
    expect(recorded.state.phase).toBe('aborted');
    expect(recorded.events).toEqual(['started', 'aborted']);
    const replay = new Replay(readHead(recorded.lines[0] ?? ''), null);
    for (const line of recorded.lines.slice(1)) replay.add(readFrame(line));
    expect(firstDifference(replay.recorded, replay.decided)).toBeNull();
    const last = replay.decided.at(-1)?.transition;
    expect(last).toMatchObject({ type: 'aborted' });
    expect(last?.evidence[0]).toMatchObject({
      verdict: 'fail',
      evidence: { kind: 'rate' },
      proof: { needed: 100 },
    });
  });
});
