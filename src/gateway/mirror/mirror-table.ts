/**
 * What mirrors of routes have counted and learnt, kept over reloads while their policy stays what it is. Knows numbers
 * only; no requests.
 * @module
 */

import type { MirrorPolicy } from '../../config/policies/mirror.ts';
import { MirrorOrder, type MirrorTurn } from '../../core/analysis/mirror-order.ts';
import {
  type Comparison,
  MIRROR_ARMS,
  type MirrorArm,
  MirrorReport,
} from '../../core/analysis/mirror-report.ts';
import { WaitingCopies } from './waiting-copies.ts';

/** `failed`: refused, reset or unreadable where the first answer was fine. `left-out`: too many at a time, no room, or no endpoint. */
export const MIRROR_OUTCOMES = ['match', 'noise', 'differs', 'timeout', 'failed', 'left-out'] as const;
export type MirrorOutcome = (typeof MIRROR_OUTCOMES)[number];

export interface MirrorPlace {
  readonly service: string;
  readonly route: string;
  /** `service/version` of the candidate. */
  readonly candidate: string;
  /** Rollout and run that asked for it; left out: a policy of the route did. */
  readonly run?: string;
}

/** Hears of every comparison, with the places that differ, in the order in which answers were asked for. */
export type OnCompared = (arm: MirrorArm, places: readonly string[]) => void;

export class MirrorState {
  readonly place: MirrorPlace;
  readonly report = new MirrorReport();
  readonly counts: Readonly<Record<MirrorArm, Record<MirrorOutcome, number>>>;
  /** Second requests that are sent and not compared yet. */
  inFlight = 0;
  /** Of first answers that have not ended. */
  readonly waiting = new WaitingCopies();
  /** Epoch milliseconds. */
  readonly sinceMs: number;
  /** Null: nobody needs to know. */
  readonly #order: MirrorOrder | null;

  constructor(place: MirrorPlace, sinceMs: number, onCompared: OnCompared | null = null) {
    this.place = place;
    this.sinceMs = sinceMs;
    this.#order = onCompared && new MirrorOrder(onCompared);
    const zeros = () => ({ match: 0, noise: 0, differs: 0, timeout: 0, failed: 0, 'left-out': 0 });
    this.counts = { candidate: zeros(), baseline: zeros() };
  }

  /** A second answer is asked for: give its turn back with what comes of it. */
  ask(arm: MirrorArm): MirrorTurn | null {
    return this.#order?.begin(arm) ?? null;
  }

  /** A second answer was compared. */
  noteDifferences(arm: MirrorArm, turn: MirrorTurn | null, differences: ReadonlyMap<string, string>): void {
    const outcome: Comparison = this.report.note(arm, differences);
    this.counts[arm][outcome] += 1;
    if (turn !== null) this.#order?.end(turn, [...differences.keys()]);
  }

  /** There was none, which differs from there being one. */
  noteFailure(arm: MirrorArm, turn: MirrorTurn | null, outcome: 'timeout' | 'failed'): void {
    this.report.note(arm, new Map([['answer', outcome]]));
    this.counts[arm][outcome] += 1;
    if (turn !== null) this.#order?.end(turn, ['answer']);
  }

  /** Nothing can be said of it. Of no consequence after any of the two above. */
  giveUp(turn: MirrorTurn | null): void {
    if (turn !== null) this.#order?.end(turn, null);
  }
}

/** By place and policy. */
export type MirrorTable = ReadonlyMap<string, MirrorState>;

/** The mirror of a route goes on with what it knows, unless its policy has changed. */
export function adoptMirror(
  previous: MirrorTable | undefined,
  next: Map<string, MirrorState>,
  place: MirrorPlace,
  policy: MirrorPolicy,
  nowMs: number,
): MirrorState {
  const key = JSON.stringify([place, policy]);
  const state = previous?.get(key) ?? new MirrorState(place, nowMs);
  next.set(key, state);
  return state;
}

/** For people and programs: what `/mirror.json` says. */
export function mirrorReports(table: MirrorTable): object[] {
  return [...table.values()].map(({ place, report, counts, sinceMs }) => ({
    ...place,
    since: new Date(sinceMs).toISOString(),
    compared: report.compared,
    outcomes: Object.fromEntries(MIRROR_ARMS.map((arm) => [arm, counts[arm]])),
    differences: report.places(),
    unlisted: report.overflow,
  }));
}
