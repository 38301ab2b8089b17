/**
 * Decides a recorded run again, look by look: with its own plan to show that the decisions follow from the record, or
 * with another one to show what it would have done with the same traffic. Knows no files.
 * @module
 */

import type { CounterInterval } from '../analysis/counter-interval.ts';
import type { RuleSample } from '../analysis/judge.ts';
import type { Second } from '../analysis/second.ts';
import { createSequentialJudge, emptyMemory } from '../analysis/sequential-judge.ts';
import { tallyOf } from '../analysis/traffic-meter.ts';
import type { Plan } from '../domain/plan.ts';
import type { Actor, Transition } from '../domain/rollout-event.ts';
import { decide } from './decide.ts';
import type { RolloutInput } from './decision.ts';
import type { Frame, RecordingHead } from './recording.ts';
import { needsSource, recordedRules } from './rule-mapping.ts';
import { canaryWeightBp, isActive, type RolloutState, stepsOf } from './state.ts';
import { begin } from './transitions.ts';

export interface Decided {
  readonly atMs: number;
  readonly transition: Transition;
}

const REPLAYED: Actor = { kind: 'operator', name: 'replay' };

export class Replay {
  readonly #plan: Plan;
  readonly #own: boolean;
  /** By rule: its index in the recorded plan. */
  readonly #rules: readonly (number | null)[];
  /** Texts of rules that the recording has no answers for: they are not judged. */
  readonly notJudged: readonly string[];
  #judge: ReturnType<typeof createSequentialJudge>;
  /** Under another plan: up to where seconds, and the intervals of each recorded rule, are known. */
  #seenToMs = Number.NEGATIVE_INFINITY;
  readonly #countedToMs = new Map<number, number>();
  state: RolloutState;
  /** What was decided when it happened, without commands of people. */
  readonly recorded: Decided[] = [];
  /** What is decided now. */
  readonly decided: Decided[] = [];
  looks = 0;
  seconds = 0;

  /** `plan` null: the recorded one. */
  constructor(head: RecordingHead, plan: Plan | null) {
    this.#own = plan === null;
    this.#plan = plan ?? head.plan;
    this.#rules = recordedRules(head.plan, this.#plan);
    const missing = this.#plan.abort.filter((rule, at) => this.#rules[at] === null && needsSource(rule));
    this.notJudged = missing.map(({ text }) => text);
    this.#judge = createSequentialJudge(this.#plan, emptyMemory(this.#plan));
    this.state = begin(this.#plan, REPLAYED, null, head.startedAtMs).state;
  }

  add(frame: Frame): void {
    for (const transition of frame.transitions) this.recorded.push({ atMs: frame.atMs, transition });
    if (frame.kind === 'command') this.#apply(frame.input, frame.atMs);
    else this.#look(frame);
  }

  #look({ begins, recalled, seconds, intervals, look, atMs }: Extract<Frame, { kind: 'look' }>): void {
    // Under its own plan a session goes on with what it found; another plan has a history of its own.
    if (begins && this.#own) {
      this.state = begins.state;
      this.#judge = createSequentialJudge(this.#plan, begins.memory);
    }
    for (const second of this.#own ? recalled : this.#unseen(recalled)) this.#judge.recall(second);
    const fresh = this.#own ? seconds : this.#unseen(seconds);
    for (const second of fresh) this.#judge.add(second);
    for (const interval of this.#mapped(intervals)) this.#judge.count(interval);
    this.looks += 1;
    this.seconds += fresh.length;
    if (!isActive(this.state)) return;
    const judged = this.#judge.check({
      step: this.state.step,
      weightBp: canaryWeightBp(this.#plan, this.state),
      mirroring: stepsOf(this.#plan, this.state)[this.state.step]?.mirrorBp !== undefined,
      revision: look.revision,
      stale: look.stale,
      samples: this.#plan.abort.map((_, at) => this.#sample(at, look.samples)),
      nowMs: atMs,
    });
    const { stale: _, samples: __, revision: ___, ...observed } = look;
    const { checks, proven } = judged;
    const observation = { ...observed, checks, proven, tally: tallyOf(fresh) };
    this.#apply({ kind: 'tick', observation }, atMs);
  }

  /** A new session found some seconds again that this judge, which never ended, has had. */
  #unseen(seconds: readonly Second[]): readonly Second[] {
    const fresh = seconds.filter(({ startMs }) => startMs >= this.#seenToMs);
    this.#seenToMs = Math.max(this.#seenToMs, (fresh.at(-1)?.startMs ?? Number.NEGATIVE_INFINITY) + 1);
    return fresh;
  }

  /** Intervals belong to rules of the recorded plan, and go to those that are the same in this one. */
  #mapped(intervals: readonly CounterInterval[]): readonly CounterInterval[] {
    if (this.#own) return intervals;
    const fresh = intervals.filter(({ rule, toMs }) => toMs > (this.#countedToMs.get(rule) ?? 0));
    for (const { rule, toMs } of fresh) this.#countedToMs.set(rule, toMs);
    return fresh.flatMap((interval) =>
      this.#rules.flatMap((recorded, rule) => (recorded === interval.rule ? [{ ...interval, rule }] : [])),
    );
  }

  #sample(at: number, samples: readonly (RuleSample | null)[]): RuleSample | null {
    const recorded = this.#own ? at : this.#rules[at];
    return recorded === null || recorded === undefined ? null : (samples[recorded] ?? null);
  }

  /** A command that does not fit the state that another plan has led to does nothing. */
  #apply(input: RolloutInput, atMs: number): void {
    const decision = decide(this.#plan, this.state, input, atMs);
    if (!decision.ok) return;
    this.state = decision.state;
    for (const transition of decision.transitions) this.decided.push({ atMs, transition });
  }
}

/** The first decision that differs by more than rounding, as its index; null when both are the same. */
export function firstDifference(recorded: readonly Decided[], decided: readonly Decided[]): number | null {
  const length = Math.max(recorded.length, decided.length);
  for (let at = 0; at < length; at += 1) {
    if (!isSame(recorded[at], decided[at])) return at;
  }
  return null;
}

/** Logarithms differ in their last digit between releases of the engine; nothing else may. */
const ROUNDING = 1e-9;

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return a === b || Math.abs(a - b) <= ROUNDING * Math.max(Math.abs(a), Math.abs(b));
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [ofA, ofB] = [Object.entries(a), Object.entries(b)];
  const other: Readonly<Record<string, unknown>> = { ...b };
  return ofA.length === ofB.length && ofA.every(([key, value]) => isSame(value, other[key]));
}
