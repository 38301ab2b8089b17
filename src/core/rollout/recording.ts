/**
 * Recordings: everything that a run's decisions were made from, as one JSON line per look. Writing and reading them;
 * `replay.ts` decides again from them. Pure: a line in, a line out.
 * @module
 */

import type { CounterInterval } from '../analysis/counter-interval.ts';
import type { JudgeMemory, RuleSample } from '../analysis/judge.ts';
import { type ArmSecond, QUIET_ARM, type Second } from '../analysis/second.ts';
import type { Plan } from '../domain/plan.ts';
import type { Transition } from '../domain/rollout-event.ts';
import type { Observation, RolloutInput } from './decision.ts';
import { type MirroredWire, toMirroredWire, withMirrored } from './mirrored-wire.ts';
import type { RolloutState } from './state.ts';

export const RECORDING_FORMAT = 'sluice-recording/1';

/** The first line. */
export interface RecordingHead {
  readonly format: typeof RECORDING_FORMAT;
  readonly rollout: string;
  readonly run: number;
  readonly startedAtMs: number;
  readonly plan: Plan;
}

/** What an operator saw at one look, apart from what follows from the seconds. */
export interface RecordedLook extends Omit<Observation, 'checks' | 'proven' | 'tally'> {
  readonly stale: boolean;
  /** Of the split that was set. */
  readonly revision: number;
  readonly samples: readonly (RuleSample | null)[];
}

export type Frame = {
  /** Operator's clock, epoch milliseconds. */
  readonly atMs: number;
  /** What was decided. */
  readonly transitions: readonly Transition[];
} & (
  | {
      readonly kind: 'look';
      /** Where a session began: what it found in the store. Null within one. */
      readonly begins: { readonly state: RolloutState; readonly memory: JudgeMemory } | null;
      readonly recalled: readonly Second[];
      readonly seconds: readonly Second[];
      /** Of rules on counters: those that were bet on, and after a restart those that filled windows. */
      readonly intervals: readonly CounterInterval[];
      readonly look: RecordedLook;
    }
  | { readonly kind: 'command'; readonly input: Exclude<RolloutInput, { kind: 'tick' }> }
);

type ArmWire = 0 | readonly number[];
type SecondWire = readonly [
  startMs: number,
  canary: ArmWire,
  baseline: ArmWire,
  users?: 0 | readonly [revision: number, canary: number, baseline: number],
  parts?: PartsWire,
];

/** Segments and instances. */
interface PartsWire {
  readonly s?: Readonly<Record<string, readonly [canary: ArmWire, baseline: ArmWire]>>;
  readonly i?: Readonly<Record<string, ArmWire>>;
}

/** Defaults are left out: most looks are a time and a second. */
interface FrameWire {
  readonly t: number;
  readonly b?: { readonly state: RolloutState; readonly memory: JudgeMemory };
  readonly r?: readonly SecondWire[];
  readonly s?: readonly SecondWire[];
  readonly i?: readonly CounterInterval[];
  /** Of the seconds in `r` and `s`. */
  readonly m?: readonly MirroredWire[];
  readonly l?: Partial<RecordedLook>;
  readonly c?: Exclude<RolloutInput, { kind: 'tick' }>;
  readonly x?: readonly Transition[];
}

export function headLine(head: Omit<RecordingHead, 'format'>): string {
  return JSON.stringify({ format: RECORDING_FORMAT, ...head });
}

export function frameLine(frame: Frame): string {
  const decided = frame.transitions.length > 0 ? { x: frame.transitions } : {};
  if (frame.kind === 'command') return JSON.stringify({ t: frame.atMs, c: frame.input, ...decided });
  const { begins, recalled, seconds, intervals } = frame;
  const look = toLookWire(frame.look);
  const mirrored = toMirroredWire([...recalled, ...seconds]);
  const wire: FrameWire = {
    t: frame.atMs,
    ...(begins && { b: begins }),
    ...(recalled.length > 0 && { r: recalled.map(toSecondWire) }),
    ...(seconds.length > 0 && { s: seconds.map(toSecondWire) }),
    ...(mirrored.length > 0 && { m: mirrored }),
    ...(intervals.length > 0 && { i: intervals }),
    ...(Object.keys(look).length > 0 && { l: look }),
    ...decided,
  };
  return JSON.stringify(wire);
}

/** Throws an Error that says what is wrong with the line. */
export function readHead(line: string): RecordingHead {
  const head = parse(line) as Partial<RecordingHead> | null;
  if (head?.format === RECORDING_FORMAT && head.plan) return head as RecordingHead;
  throw new Error(`the first line is not the head of a recording (${RECORDING_FORMAT})`);
}

/** Throws an Error that says what is wrong with the line. */
export function readFrame(line: string): Frame {
  const wire = parse(line) as FrameWire | null;
  if (wire === null || typeof wire.t !== 'number') throw new Error('not a frame of a recording');
  const common = { atMs: wire.t, transitions: wire.x ?? [] };
  if (wire.c) return { ...common, kind: 'command', input: wire.c };
  return {
    ...common,
    kind: 'look',
    begins: wire.b ?? null,
    recalled: withMirrored((wire.r ?? []).map(fromSecondWire), wire.m),
    seconds: withMirrored((wire.s ?? []).map(fromSecondWire), wire.m),
    intervals: wire.i ?? [],
    look: { ...USUAL_LOOK, ...wire.l },
  };
}

const USUAL_LOOK: RecordedLook = {
  stale: false,
  revision: -1,
  samples: [],
  noEvidence: null,
  applied: true,
  canaryRequests: 0,
  gate: null,
  mayAdvance: true,
};

function toLookWire(look: RecordedLook): Partial<RecordedLook> {
  const { stale, revision, samples, noEvidence, applied, canaryRequests, gate, mayAdvance } = look;
  return {
    ...(stale && { stale }),
    revision,
    ...(samples.some((sample) => sample !== null) && { samples }),
    ...(noEvidence && { noEvidence }),
    ...(!applied && { applied }),
    ...(canaryRequests > 0 && { canaryRequests }),
    ...(gate && { gate }),
    ...(!mayAdvance && { mayAdvance }),
  };
}

function toSecondWire({ startMs, canary, baseline, users, segments, instances }: Second): SecondWire {
  const arms = [startMs, toArmWire(canary), toArmWire(baseline)] as const;
  const counted = users ? ([users.revision, users.canary, users.baseline] as const) : 0;
  if (segments || instances) {
    const s =
      segments && mapValues(segments, (of) => [toArmWire(of.canary), toArmWire(of.baseline)] as const);
    const i = instances && mapValues(instances, toArmWire);
    return [...arms, counted, { ...(s && { s }), ...(i && { i }) }];
  }
  return counted === 0 ? arms : [...arms, counted];
}

function toArmWire({ total, bad, distinctBad, seen, latencyUs }: ArmSecond): ArmWire {
  if (seen === 0 && latencyUs.length === 0) return 0;
  return [total, bad, distinctBad, seen, ...latencyUs];
}

function fromSecondWire([startMs, canary, baseline, users, parts]: SecondWire): Second {
  const segments =
    parts?.s &&
    mapValues(parts.s, ([ofCanary, ofBaseline]) => ({
      canary: fromArmWire(ofCanary),
      baseline: fromArmWire(ofBaseline),
    }));
  const instances = parts?.i && mapValues(parts.i, fromArmWire);
  return {
    startMs,
    canary: fromArmWire(canary),
    baseline: fromArmWire(baseline),
    ...(users && { users: { revision: users[0], canary: users[1], baseline: users[2] } }),
    ...(segments && { segments }),
    ...(instances && { instances }),
  };
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

function fromArmWire(wire: ArmWire): ArmSecond {
  if (wire === 0) return QUIET_ARM;
  const [total = 0, bad = 0, distinctBad = 0, seen = 0, ...latencyUs] = wire;
  return { total, bad, distinctBad, seen, latencyUs };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
