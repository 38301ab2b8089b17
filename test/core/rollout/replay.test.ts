/** Runs of the real operator, recorded and decided again. */

import { describe, expect, it } from 'vitest';
import type { Plan, Step } from '../../../src/core/domain/plan.ts';
import { readFrame, readHead } from '../../../src/core/rollout/recording.ts';
import { firstDifference, Replay } from '../../../src/core/rollout/replay.ts';
import { type RecordedRun, type RunScript, recordRun } from '../../support/recorded-run.ts';
import { autoPlan } from './auto-run.ts';
import { plan, RULE } from './plans.ts';

const healthy = { v1: { ok: 190, bad: 1 }, v2: { ok: 20 } };
const failing = { v1: { ok: 190, bad: 1 }, v2: { ok: 10, bad: 10 } };
const waver = (second: number) => ({
  v1: { ok: 190, bad: second % 3, latencyMs: 40 + (second % 7) },
  v2: { ok: 20, bad: second % 11 === 0 ? 1 : 0, latencyMs: 42 + (second % 9) },
});

const SLOWER = {
  ...RULE,
  text: 'p95 > +50%',
  condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
} as const;
const both: Plan = plan({ abort: [RULE, SLOWER] });

const SCRIPTS: readonly [string, RunScript, string][] = [
  ['a healthy run', { plan: both, traffic: () => healthy }, 'promoted'],
  ['a wavering one', { plan: both, traffic: waver }, 'promoted'],
  ['one by proof', { plan: plan({ advance: 'proven' }), traffic: () => healthy }, 'promoted'],
  ['an abort', { plan: both, traffic: (second) => (second < 15 ? healthy : failing) }, 'aborted'],
  [
    'one that people paused, resumed and promoted',
    {
      plan: both,
      traffic: waver,
      commands: {
        5: { kind: 'pause', reason: 'lunch' },
        20: { kind: 'resume' },
        24: { kind: 'promote', full: false, reason: null },
      },
    },
    'promoted',
  ],
  [
    'one that several operators looked after',
    { plan: both, traffic: (second) => (second < 30 ? waver(second) : failing), deaths: [7, 8, 19] },
    'aborted',
  ],
  [
    'one whose store was full for a while, and the canary broken meanwhile',
    {
      plan: both,
      traffic: (second) => (second > 20 ? failing : healthy),
      storeAway: (second) => second > 18 && second < 40,
    },
    'aborted',
  ],
  [
    'one whose traffic stopped for a while',
    { plan: both, traffic: (second) => (second > 8 && second < 20 ? {} : healthy) },
    'promoted',
  ],
  [
    'one that decided its steps itself, with several operators',
    {
      plan: autoPlan({ fromBp: 1_000, minHoldMs: 10_000, budget: 500 }),
      traffic: (second) => ({
        v1: { ok: 995 - (second % 10), bad: 2 + (second % 3) },
        v2: { ok: 500, bad: second % 2 },
      }),
      deaths: [9, 24, 31],
    },
    'promoted',
  ],
  [
    'one that decided its steps itself and met a bad canary',
    {
      plan: autoPlan({ fromBp: 1_000, minHoldMs: 10_000, budget: 500 }),
      traffic: (second) => ({
        v1: { ok: 995, bad: 5 },
        v2: { ok: 500, bad: second < 25 ? 2 : 300 },
      }),
      deaths: [20],
    },
    'aborted',
  ],
];

const DIFFERS = { ...RULE, text: 'differs > 1%', condition: { kind: 'differs', limit: 0.01 } } as const;
const [first, ...weights] = plan().steps;
const mirroring: Plan = plan({
  steps: [{ ...(first as Step), weightBp: 0, mirrorBp: 1_000, requests: 30 }, ...weights],
  abort: [DIFFERS, RULE],
});
const same = { v1: { ok: 200, mirrored: [10, 1] }, v2: { mirrored: [10, 0] } } as const;
const wrong = { v1: { ok: 200, mirrored: [10, 0] }, v2: { mirrored: [10, 9] } } as const;

const MIRRORS: readonly [string, RunScript, string][] = [
  [
    'a healthy run that mirrors first',
    { plan: mirroring, traffic: (second) => ({ ...healthy, ...(second < 20 && same) }) },
    'promoted',
  ],
  [
    'an abort in its mirror that several operators looked after',
    { plan: mirroring, traffic: (second) => (second < 6 ? same : wrong), deaths: [4, 8] },
    'aborted',
  ],
];

function replayed({ lines }: RecordedRun, other: Plan | null = null): Replay {
  const replay = new Replay(readHead(lines[0] ?? ''), other);
  for (const line of lines.slice(1)) replay.add(readFrame(line));
  return replay;
}

describe('a recorded run', () => {
  it.each([...SCRIPTS, ...MIRRORS])('%s is decided again exactly as it was', async (_what, script, phase) => {
    const run = await recordRun(script);
    const replay = replayed(run);
    expect(run.state.phase).toBe(phase);
    expect(replay.recorded.length).toBe(run.events.length - 1);
    expect(firstDifference(replay.recorded, replay.decided)).toBeNull();
    expect(replay.state).toEqual(run.state);
  });

  it('is told apart from one that something was changed in', async () => {
    const run = await recordRun(SCRIPTS[3]?.[1] as RunScript);
    const lines = run.lines.map((line) => line.replace('[20,10,10,20', '[20,0,0,20'));
    expect(lines).not.toEqual(run.lines);
    const replay = replayed({ ...run, lines });
    expect(firstDifference(replay.recorded, replay.decided)).not.toBeNull();
  });

  it('keeps what a mirror showed in rows of its own, which older recordings do not have', async () => {
    const run = await recordRun(MIRRORS[1]?.[1] as RunScript);
    expect(run.lines.some((line) => line.includes('"m":[['))).toBe(true);
    const without = run.lines.map((line) => line.replace(/,"m":\[\[[\d,[\]]*\]\]/, ''));
    const replay = replayed({ ...run, lines: without });
    expect(replay.decided.map(({ transition }) => transition.type)).not.toContain('aborted');
  });

  it('shows another plan each second once, however often sessions found it', async () => {
    const script = SCRIPTS[5]?.[1] as RunScript;
    const run = await recordRun(script);
    const found = run.lines
      .slice(1)
      .map(readFrame)
      .flatMap((frame) => (frame.kind === 'look' ? frame.seconds.map(({ startMs }) => startMs) : []));
    const distinct = new Set(found).size;
    expect(found.length).toBeGreaterThan(distinct);
    const replay = replayed(run, script.plan);
    expect([replay.seconds, replay.state.phase]).toEqual([distinct, run.state.phase]);
  });

  it('shows what another plan would have done with the same traffic', async () => {
    const run = await recordRun(SCRIPTS[3]?.[1] as RunScript);
    const lenient = {
      ...RULE,
      text: '5xx > 1000x',
      condition: { kind: 'rate-ratio', factor: 1000 },
    } as const;
    expect(replayed(run, plan({ abort: [lenient] })).state.phase).not.toBe('aborted');
    const slow = { weightBp: 100, holdMs: 3_600_000, minHoldMs: 0, requests: 0, gate: null };
    const steady = replayed(run, { ...both, steps: [slow, { ...slow, weightBp: 10_000 }] });
    expect(steady.state).toMatchObject({ phase: 'aborted', step: 0 });
  });
});

describe('a line that is no part of a recording', () => {
  it.each(['', '{}', '{"format":"other"}', 'not json'])('%j is no head', (line) => {
    expect(() => readHead(line)).toThrow(/not the head of a recording/);
  });

  it.each(['', '[]', '{"s":[]}'])('%j is no frame', (line) => {
    expect(() => readFrame(line)).toThrow(/not a frame/);
  });
});

describe('a recording of rules on counters', () => {
  const counting: Plan = plan({ abort: [{ ...RULE, source: 'prometheus' }] });
  const looks = Array.from({ length: 8 }, (_, at) => {
    const arms = { canary: { total: 100, bad: 50 }, baseline: { total: 900, bad: 4 } };
    const span = { rule: 0, fromMs: at * 1000, toMs: (at + 1) * 1000 };
    const look = { revision: 1, applied: true, canaryRequests: 1 };
    return readFrame(
      JSON.stringify({ t: (at + 1) * 1000, i: [{ ...span, ...arms, apart: false, bet: 'all' }], l: look }),
    );
  });
  const by = (other: Plan): Replay => {
    const head = { format: 'sluice-recording/1', rollout: 'orders-v2', run: 1, startedAtMs: 0 } as const;
    const replay = new Replay({ ...head, plan: counting }, other);
    for (const look of looks) replay.add(look);
    return replay;
  };

  it('is judged by the same rules of another plan, wherever they stand in it', () => {
    expect(by(counting)).toMatchObject({ state: { phase: 'aborted' }, notJudged: [] });
    expect(by(plan({ abort: [RULE, ...counting.abort] }))).toMatchObject({
      state: { phase: 'aborted' },
      notJudged: [],
    });
  });

  it('names the rules that it has no answers for', () => {
    const other = { ...RULE, text: '5xx > 3x', source: 'prometheus', overMs: 90_000 } as const;
    expect(by(plan({ abort: [RULE, other] }))).toMatchObject({ notJudged: ['5xx > 3x'] });
  });
});
