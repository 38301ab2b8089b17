/**
 * Writes a decision down: chains its transitions into events and commits them with the new record, before any
 * of their effects. Says whether this operator may go on.
 * @module
 */

import type { JudgeMemory } from '../core/analysis/judge.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutEvent, Transition } from '../core/domain/rollout-event.ts';
import { chain } from '../core/rollout/chain.ts';
import type { RolloutRecord, RolloutState } from '../core/rollout/state.ts';
import type { OperatorContext } from './operator-context.ts';
import { rememberEvents, type Session } from './session.ts';

/** A lease outlives a slow tick or two, and a dead operator by not much longer. */
export const LEASE_TTL_MS = 6_000;

/** Throws STALE_EPOCH or CONFLICT when somebody else has written: the session is then out of date. */
export async function commit(
  context: OperatorContext,
  session: Session,
  next: { readonly state: RolloutState; readonly memory: JudgeMemory },
  transitions: readonly Transition[],
): Promise<void> {
  const nowMs = context.clock.nowMs();
  const { record, events } = await commitRecord(
    context,
    session.epoch,
    { ...session.record, ...next },
    transitions,
    nowMs,
  );
  session.record = record;
  session.savedAtMs = nowMs;
  session.settled = false;
  rememberEvents(session, events);
}

/**
 * Writes a session's record again when the store has lost it (a Redis that came back empty), with the newest
 * events that this operator remembers, under a new epoch: gateways must take the splits that follow for newer.
 * The older part of the audit trail is gone, which is said. Does nothing when the record is there after all.
 */
export async function restoreLost(context: OperatorContext, session: Session, epoch: number): Promise<void> {
  const { record, events } = session;
  const result = await context.backend.store.commit({ record, events, epoch, afterLoss: true });
  if (!result.ok) return;
  session.epoch = epoch;
  const { rollout, version } = record;
  context.logger.error(
    { rollout, version, epoch, events: events.length },
    'the store had lost this rollout; its record and newest events are written again, older ones are gone',
  );
}

/** The same for a record that has no session yet. */
export async function commitRecord(
  context: OperatorContext,
  epoch: number,
  base: RolloutRecord,
  transitions: readonly Transition[],
  nowMs: number,
): Promise<{ record: RolloutRecord; events: readonly RolloutEvent[] }> {
  const events = chain(base, transitions, nowMs, context.digest);
  const last = events.at(-1);
  const record: RolloutRecord = {
    ...base,
    version: base.version + 1,
    lastSequence: last?.sequence ?? base.lastSequence,
    lastHash: last?.hash ?? base.lastHash,
  };
  const result = await context.backend.store.commit({ record, events, epoch });
  if (!result.ok) {
    throw new SluiceError(result.cause === 'stale-epoch' ? 'STALE_EPOCH' : 'CONFLICT', {
      detail: `rollout ${record.rollout}, version ${record.version}, epoch ${epoch}`,
      hint: 'Look at it again and repeat what is still needed.',
    });
  }
  for (const event of events) {
    const { rollout, run, sequence, type, reason, weightBeforeBp, weightAfterBp, mirrorBp } = event;
    context.logger.info(
      { rollout, run, sequence, type, reason, weightBeforeBp, weightAfterBp, mirrorBp },
      'rollout event',
    );
  }
  return { record, events };
}
