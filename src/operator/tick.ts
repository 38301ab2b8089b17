/**
 * One look at one rollout, on one page: telemetry → judge → decide → commit → publish. The operator repeats it
 * for every rollout it looks after; a crash anywhere in it leaves nothing that the next one does not repair.
 * @module
 */

import type { CounterInterval } from '../core/analysis/counter-interval.ts';
import { evidenceGap, isStale } from '../core/analysis/evidence-gap.ts';
import { recentBuckets, sumArm, sumCompared, sumLeftOut } from '../core/analysis/evidence-window.ts';
import type { JudgeInput, JudgeOutput } from '../core/analysis/judge.ts';
import { tallyOf } from '../core/analysis/traffic-meter.ts';
import type { WeightMove } from '../core/analysis/weight-moves.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { decide } from '../core/rollout/decide.ts';
import { desiredSplit } from '../core/rollout/desired-split.ts';
import { knownMoves } from '../core/rollout/known-moves.ts';
import { isActive } from '../core/rollout/state.ts';
import { stepAt } from '../core/rollout/transitions.ts';
import { closedBecause } from './advance-window.ts';
import { commit } from './commit.ts';
import type { Collected } from './evidence-collector.ts';
import type { OperatorContext } from './operator-context.ts';
import { type Reconciled, reconcile } from './reconcile.ts';
import { recordFrame, recover, rememberChecks, type Session } from './session.ts';

/** Progress within a step is written this often: a crash costs at most so much of it, never a step. */
const SAVE_EVERY_MS = 5_000;
/** The served share is shown over the time at the present weight, between these bounds. */
const SHARE_WINDOW_MIN_MS = 3_000;
const SHARE_WINDOW_MAX_MS = 60_000;

/** Throws when a port fails or another operator has taken over. What it commits is in `session.events`. */
export async function tick(context: OperatorContext, session: Session): Promise<void> {
  const nowMs = context.clock.nowMs();
  if (session.interrupted) {
    // Not before the backend answers again: reading everything anew at every try would be no help to it.
    await publish(context, session, nowMs);
    recover(context, session);
  }
  const collected = await session.evidence.collector.collect(nowMs);
  session.interrupted = true;
  const served = await publish(context, session, nowMs);
  look(session, collected, served, nowMs);
  if (!isActive(session.record.state)) {
    session.settled = served.applied;
    session.interrupted = false;
    return;
  }
  const moved = await judgeAndDecide(context, session, collected, served, nowMs);
  session.interrupted = false;
  // What was just decided reaches the gateways now, not a tick later.
  if (moved) look(session, collected, await publish(context, session, nowMs), nowMs);
}

/** Whether the rollout has made a transition. */
async function judgeAndDecide(
  context: OperatorContext,
  session: Session,
  collected: Collected,
  served: Reconciled,
  nowMs: number,
): Promise<boolean> {
  const { plan, state } = session.record;
  const found = session.begins ? { state, memory: session.record.memory } : null;
  const judged = judge(session, collected, served, nowMs);
  const { checks, proven } = judged;
  session.gap = gapOf(session, collected, served, judged, nowMs);
  const closed = closedBecause(plan.schedule, nowMs);
  rememberChecks(session, checks);
  session.sighting = {
    ...session.sighting,
    checks: checks.map((check) => ({ ...check, recent: [] })),
    closed,
  };

  const observed = {
    noEvidence: session.gap,
    applied: served.applied,
    canaryRequests: judged.mirroring ? collected.compared : collected.canaryRequests,
    gate: session.gate.poke(session.record, nowMs),
    mayAdvance: closed === null,
  };
  const observation = { ...observed, checks, proven, tally: tallyOf(collected.seconds) };
  const decision = decide(plan, state, { kind: 'tick', observation }, nowMs);
  if (!decision.ok) throw new SluiceError(decision.code, { detail: decision.detail });
  const next = { state: decision.state, memory: session.evidence.judge.memory };
  if (decision.transitions.length > 0 || Math.abs(nowMs - session.savedAtMs) >= SAVE_EVERY_MS) {
    await commit(context, session, next, decision.transitions);
  } else {
    session.record = { ...session.record, ...next };
  }
  // After the commit: what was not written down was not decided.
  const { recalled, seconds } = collected;
  const { intervals, stale, samples } = judged;
  recordFrame(context, session, {
    kind: 'look',
    atMs: nowMs,
    begins: found,
    recalled,
    seconds,
    intervals,
    look: { ...observed, stale, samples, revision: served.split?.revision ?? -1 },
    transitions: decision.transitions,
  });
  session.begins = false;
  return decision.transitions.length > 0;
}

/** What the judge was told at one look, and what it says. */
interface Judged extends JudgeOutput {
  readonly mirroring: boolean;
  readonly stale: boolean;
  readonly samples: JudgeInput['samples'];
  readonly intervals: readonly CounterInterval[];
}

function judge(session: Session, collected: Collected, served: Reconciled, nowMs: number): Judged {
  const { plan, state } = session.record;
  const { judge: judging, counters } = session.evidence;
  const step = stepAt(plan, state, state.step);
  const mirroring = step.mirrorBp !== undefined;
  session.sampler.poke(nowMs);
  counters.poke(nowMs, () => movesOf(session, nowMs));
  for (const second of collected.recalled) judging.recall(second);
  for (const second of collected.seconds) judging.add(second);
  const intervals = counters.take();
  for (const interval of intervals) judging.count(interval);
  const gaps = counters.gaps(nowMs);
  const samples = session.sampler.samples(nowMs).map((sample, at) => sample ?? gaps[at] ?? null);
  const stale = isStale(collected.silentMs);
  const revision = served.split?.revision ?? -1;
  const input = { step: state.step, weightBp: step.weightBp, mirroring, revision, stale, samples, nowMs };
  return { ...judging.check(input), mirroring, stale, samples, intervals };
}

/** Why time does not count, if it does not. */
function gapOf(
  session: Session,
  collected: Collected,
  served: Reconciled,
  { mirroring, checks, mismatch }: Judged,
  nowMs: number,
): Session['gap'] {
  const { plan, state } = session.record;
  const { weightBp, holdMs } = stepAt(plan, state, state.step);
  const gap = evidenceGap({
    plan,
    weightBp,
    mirroring,
    holdMs,
    ...collected,
    silentGateways: silentGateways(collected, served, nowMs),
    checks,
  });
  return gap ?? (mismatch === null ? null : { cause: 'split-mismatch', detail: mismatch });
}

/** Of weights, as the newest record knows them: an answer may come after the decision that moved them. */
function movesOf({ record: { plan, state } }: Session, nowMs: number): readonly WeightMove[] {
  return isActive(state) ? knownMoves(plan, state, nowMs) : [];
}

/** Gateways that acknowledge weights but whose telemetry does not arrive: their share is not in the evidence. */
function silentGateways(collected: Collected, served: Reconciled, nowMs: number): readonly string[] {
  return served.gateways
    .map((gateway) => gateway.name)
    .filter((name) => isStale(nowMs - (collected.heardAtMs.get(name) ?? 0)));
}

/** Brings the gateways to what the record says. Throws STALE_EPOCH when this operator no longer may. */
export async function publish(
  context: OperatorContext,
  session: Session,
  nowMs: number,
): Promise<Reconciled> {
  const { channel } = context.backend;
  const lastRevision = session.sighting.split?.revision ?? 0;
  const served = await reconcile(channel, desiredSplit(session.record), session.epoch, lastRevision, nowMs);
  if (served.split === null) {
    throw new SluiceError('STALE_EPOCH', {
      detail: `service ${session.record.service}, epoch ${session.epoch}`,
    });
  }
  return served;
}

function look(session: Session, collected: Collected, served: Reconciled, nowMs: number): void {
  const { plan, state } = session.record;
  const heldMs = nowMs - state.sinceMs;
  const lookbackMs = Math.min(SHARE_WINDOW_MAX_MS, heldMs);
  // Right after a change of weight the share would be that of the weight before.
  const buckets = heldMs < SHARE_WINDOW_MIN_MS ? [] : recentBuckets(collected.window, lookbackMs);
  const canaryRequests = sumArm(buckets, plan.canary).total;
  const totalRequests = canaryRequests + sumArm(buckets, plan.baseline).total;
  session.sighting = {
    ...session.sighting,
    split: served.split,
    gateways: served.gateways,
    canaryRequests,
    totalRequests,
    compared: sumCompared(buckets, plan.canary),
    leftOut: sumLeftOut(recentBuckets(collected.window, SHARE_WINDOW_MAX_MS)),
  };
}
