/**
 * Reads the counters of the rules that bet on them, in the background and at its own pace, and hands out each interval
 * between scrapes once, in order. Never lets a slow source hold up a tick.
 * @module
 */

import type { CounterInterval } from '../core/analysis/counter-interval.ts';
import { type AskSamples, readCounters } from '../core/analysis/counter-reader.ts';
import { type CounterSelectors, counterSelectors } from '../core/analysis/counter-selectors.ts';
import { CounterTrack } from '../core/analysis/counter-track.ts';
import type { JudgeMemory, RuleSample } from '../core/analysis/judge.ts';
import { betsOnCounters } from '../core/analysis/rule-bets.ts';
import type { WeightMove } from '../core/analysis/weight-moves.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { MetricSource } from '../ports/metric-source.ts';
import { gapOf, none } from '../ports/sample-gap.ts';

/** An answer this many questions old is no evidence any more. */
const STALE_QUESTIONS = 3;

export interface CounterWatch {
  /** Starts what is due; returns at once. `moves`: of weights in the run, as they are known when an answer is there. */
  poke(nowMs: number, moves: () => readonly WeightMove[]): void;
  /** By rule of the plan: why there is no evidence now; null where there is some, or where no counters are read. */
  gaps(nowMs: number): readonly (RuleSample | null)[];
  /** The intervals that have become complete since the last call, in order. */
  take(): readonly CounterInterval[];
  close(): void;
}

export interface CounterWatchOptions {
  readonly plan: Plan;
  /** Start of the run, epoch milliseconds. */
  readonly sinceMs: number;
  /** Where the judge's memory ends, reading goes on. */
  readonly memory: JudgeMemory;
  readonly source: MetricSource | null;
  /** Between two questions, milliseconds. */
  readonly intervalMs: number;
  /** Between two scrapes, milliseconds; null: as the samples show. */
  readonly scrapeMs: number | null;
}

type Moves = () => readonly WeightMove[];

interface Slot {
  /** Index of the rule. */
  readonly at: number;
  readonly selectors: CounterSelectors;
  readonly track: CounterTrack;
  askedAtMs: number;
  answeredAtMs: number;
  asking: boolean;
}

export function createCounterWatch(options: CounterWatchOptions): CounterWatch {
  const { plan, source, intervalMs } = options;
  const ended = new AbortController();
  const ready: CounterInterval[] = [];
  const slots = slotsOf(options);

  const samplesOf =
    (from: MetricSource): AskSamples =>
    async (selector, fromMs, toMs) => {
      const answer = await from.samples(selector, fromMs, toMs, ended.signal);
      return answer.kind === 'series' ? answer.series : gapOf(answer, selector);
    };

  /** Until nothing is left to read at once: an operator that was away for long has much to read. */
  const readOn = async ({ track, selectors }: Slot, from: MetricSource, nowMs: number, moves: Moves) => {
    for (let span = track.next(nowMs); !ended.signal.aborted; span = track.next(nowMs)) {
      const reading = await readCounters(samplesOf(from), selectors, span);
      if ('cause' in reading) {
        track.gap = reading;
        return;
      }
      ready.push(...track.advance(reading, span, nowMs, moves()));
      if (!span.past) return;
    }
  };

  const ask = async (slot: Slot, nowMs: number, moves: Moves): Promise<void> => {
    slot.asking = true;
    slot.askedAtMs = nowMs;
    const startedMs = performance.now();
    if (source === null) slot.track.gap = none('source-down', 'the operator has no Prometheus configured');
    else await readOn(slot, source, nowMs, moves);
    slot.answeredAtMs = nowMs + (performance.now() - startedMs);
    slot.asking = false;
  };

  return {
    poke(nowMs, moves) {
      for (const slot of slots) {
        // Either way: after a clock has stepped back, "later" would be long in coming.
        const due = Math.abs(nowMs - slot.askedAtMs) >= intervalMs;
        if (due && !slot.asking) void ask(slot, nowMs, moves);
      }
    },
    gaps(nowMs) {
      const gaps: (RuleSample | null)[] = plan.abort.map(() => null);
      for (const { at, track, answeredAtMs } of slots) {
        const ageMs = Math.abs(nowMs - answeredAtMs);
        const isOld = answeredAtMs > 0 && ageMs > STALE_QUESTIONS * intervalMs;
        if (isOld) gaps[at] = none('source-slow', `the newest answer is ${formatDuration(ageMs)} old`);
        else gaps[at] = track.gap && none(track.gap.cause, track.gap.detail);
      }
      return gaps;
    },
    take: () => ready.splice(0),
    close: () => ended.abort(),
  };
}

function slotsOf({ plan, sinceMs, memory, scrapeMs }: CounterWatchOptions): readonly Slot[] {
  return plan.abort.flatMap((rule, at) => {
    if (!betsOnCounters(rule)) return [];
    const countedToMs = memory.rules[at]?.countedToMs ?? null;
    const track = new CounterTrack({ rule, at, sinceMs, countedToMs, scrapeMs });
    return [
      {
        at,
        selectors: counterSelectors(rule, plan),
        track,
        askedAtMs: 0,
        answeredAtMs: 0,
        asking: false,
      },
    ];
  });
}
