/**
 * What people ask of the operator, through the control API: looks, and actions that go through the same
 * `decide` as the operator's own. Owns checks that need more than one rollout; knows no HTTP.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import { decide } from '../core/rollout/decide.ts';
import type { RolloutInput } from '../core/rollout/decision.ts';
import { isActive, type RolloutRecord } from '../core/rollout/state.ts';
import { projectDeclared } from '../core/view/project.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { Action, ActRequest, Control } from '../ports/control.ts';
import { commit } from './commit.ts';
import { measureTraffic } from './measured-traffic.ts';
import type { OperatorContext } from './operator-context.ts';
import { openSession, recordFrame, type Session, viewOf } from './session.ts';
import { latestByService, type SessionTable } from './session-table.ts';
import { planOf, startRun, viewBeforeStart } from './start-run.ts';
import { publish } from './tick.ts';

export function createControl(context: OperatorContext, sessions: SessionTable): Control {
  const { clock, backend, catalog } = context;

  const sessionOf = (record: RolloutRecord): Session | undefined => {
    const session = sessions.get(record.service);
    return session?.record.rollout === record.rollout ? session : undefined;
  };

  const recordedView = async (record: RolloutRecord): Promise<RolloutView> => {
    const session = sessionOf(record);
    if (session) return viewOf(session, clock.nowMs());
    const events = await backend.store.events(record.rollout, Math.max(0, record.lastSequence - 20), 20);
    const unseen = openSession(context, record, 0, events);
    const latest = latestByService(await backend.store.list()).find(
      ({ service }) => service === record.service,
    );
    const supersededBy = latest && latest.rollout !== record.rollout ? latest.rollout : null;
    unseen.sighting = { ...unseen.sighting, supersededBy, unseen: isActive(record.state) };
    const view = viewOf(unseen, clock.nowMs());
    unseen.close();
    return view;
  };

  return {
    async list() {
      const [records, plans] = await Promise.all([backend.store.list(), catalog.plans()]);
      const recorded = await Promise.all(records.map(recordedView));
      const names = new Set(records.map((record) => record.rollout));
      const declared = plans
        .filter((plan) => !names.has(plan.rollout))
        .map((plan) => projectDeclared(plan, clock.nowMs()));
      return [...recorded, ...declared].sort((a, b) => (a.rollout < b.rollout ? -1 : 1));
    },
    async view(rollout) {
      const record = await backend.store.load(rollout);
      if (!record) return projectDeclared(await catalog.plan(rollout), clock.nowMs());
      // Only the holder of the lease has seen the evidence.
      if (isActive(record.state) && !sessionOf(record)) await sessions.lease(record.service);
      return recordedView(record);
    },
    recording: async (rollout, run) => (await context.recordings?.read(rollout, run)) ?? null,
    async storedView(rollout) {
      const record = await backend.store.load(rollout);
      return record ? recordedView(record) : projectDeclared(await catalog.plan(rollout), clock.nowMs());
    },
    act: (request) => act(context, sessions, request),
    async traffic(rollout) {
      const record = await backend.store.load(rollout);
      const { service, baseline } = record?.plan ?? (await catalog.plan(rollout));
      return measureTraffic(backend.telemetry, service, baseline, clock.nowMs());
    },
    events: (rollout, afterSequence, limit) => knownEvents(context, rollout, afterSequence, limit),
    subscribe(listener, signal) {
      if (signal.aborted) return;
      sessions.listeners.add(listener);
      signal.addEventListener('abort', () => sessions.listeners.delete(listener), { once: true });
    },
  };
}

async function knownEvents(
  context: OperatorContext,
  rollout: string,
  after: number,
  limit: number,
): Promise<readonly RolloutEvent[]> {
  const record = await context.backend.store.load(rollout);
  if (!record) await context.catalog.plan(rollout);
  return record ? context.backend.store.events(rollout, after, limit) : [];
}

async function act(
  context: OperatorContext,
  sessions: SessionTable,
  request: ActRequest,
): Promise<RolloutView> {
  const { rollout, action } = request;
  const record = await context.backend.store.load(rollout);
  if (action.kind === 'start' || action.kind === 'retry') {
    if (record) checkExpected(record, request);
    const plan = await planOf(context, request, record);
    if (action.kind === 'start' && action.dryRun) return viewBeforeStart(context, plan);
    return start(context, sessions, request, plan);
  }
  if (!record) {
    await context.catalog.plan(rollout);
    throw new SluiceError('RUN_UNKNOWN', {
      detail: rollout,
      hint: `Start it with \`rollout start ${rollout}\`.`,
    });
  }
  const session = await sessions.exclusive(record.service, async () => {
    const held = await heldSession(context, sessions, record);
    await decideAndCommit(context, sessions, held, request, inputOf(action, request));
    return held;
  });
  await sessions.tickNow(session);
  return viewOf(session, context.clock.nowMs());
}

async function start(
  context: OperatorContext,
  sessions: SessionTable,
  request: ActRequest,
  plan: Plan,
): Promise<RolloutView> {
  const message = 'message' in request.action ? request.action.message : null;
  const session = await sessions.exclusive(plan.service, async () => {
    const epoch = await sessions.lease(plan.service);
    // Again, in its turn: another run may have come and gone since.
    const newest = await context.backend.store.load(plan.rollout);
    if (newest) checkExpected(newest, request);
    const { record, events } = await startRun(context, plan, epoch, request.actor, message);
    const started = await sessions.adopt(record, epoch);
    started.announcedSequence = record.lastSequence - events.length;
    sessions.announce(started);
    return started;
  });
  await sessions.tickNow(session);
  return viewOf(session, context.clock.nowMs());
}

/** The session of a record, taking over its lease when nobody has it. */
async function heldSession(
  context: OperatorContext,
  sessions: SessionTable,
  record: RolloutRecord,
): Promise<Session> {
  const epoch = await sessions.lease(record.service);
  const session = sessions.get(record.service);
  if (session?.record.rollout === record.rollout && session.epoch === epoch) return session;
  const latest = latestByService(await context.backend.store.list()).find(
    (other) => other.service === record.service,
  );
  if (latest && latest.rollout !== record.rollout) {
    throw new SluiceError('WRONG_PHASE', {
      detail: `${latest.rollout} was started on ${record.service} after ${record.rollout}`,
      hint: `Act on ${latest.rollout} instead.`,
    });
  }
  return sessions.adopt((await context.backend.store.load(record.rollout)) ?? record, epoch);
}

/** The effect goes out before the answer: after `abort` returns, the weight is written. */
async function decideAndCommit(
  context: OperatorContext,
  sessions: SessionTable,
  session: Session,
  request: ActRequest,
  input: RolloutInput,
): Promise<void> {
  const { state, plan, memory } = session.record;
  checkExpected(session.record, request);
  const nowMs = context.clock.nowMs();
  const decision = decide(plan, state, input, nowMs);
  if (!decision.ok) throw new SluiceError(decision.code, { detail: decision.detail, hint: decision.hint });
  // An abort of what is aborted: nothing to write down, but gateways hear it again.
  if (decision.transitions.length > 0) {
    await commit(context, session, { state: decision.state, memory }, decision.transitions);
  }
  if (input.kind !== 'tick') {
    recordFrame(context, session, { kind: 'command', atMs: nowMs, input, transitions: decision.transitions });
  }
  sessions.announce(session);
  await publish(context, session, nowMs).catch((error: unknown) => {
    throw unpublished(error, request);
  });
}

/** The decision stands: every tick tells gateways again, whoever runs it. */
function unpublished(error: unknown, { rollout }: ActRequest): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'UNAVAILABLE') return error;
  return new SluiceError('UNPUBLISHED', {
    ...(error.detail !== undefined && { detail: error.detail }),
    hint: `Nothing has to be done again: gateways hear of it as soon as they can be reached, and let go of a canary when its lease runs out. Look with \`rollout status ${rollout}\`.`,
    cause: error,
  });
}

/** Throws STEP_MOVED when the rollout is not where the one who asks has seen it. */
function checkExpected(record: RolloutRecord, { rollout, expectRun, expectStep }: ActRequest): void {
  const { run, state } = record;
  const hint = `Look with \`rollout status ${rollout}\` and try again.`;
  if (expectRun !== null && expectRun !== run) {
    throw new SluiceError('STEP_MOVED', {
      detail: `expected run ${expectRun}, this is run ${run}`,
      hint,
      data: { expectedRun: expectRun, actualRun: run },
    });
  }
  if (expectStep !== null && expectStep !== state.step) {
    throw new SluiceError('STEP_MOVED', {
      detail: `expected step ${expectStep + 1}, it is at step ${state.step + 1}`,
      hint,
      data: { expectedStep: expectStep, actualStep: state.step },
    });
  }
}

function inputOf(action: Exclude<Action, { kind: 'start' | 'retry' }>, request: ActRequest): RolloutInput {
  const { actor } = request;
  switch (action.kind) {
    case 'pause':
      return { kind: 'pause', actor, reason: action.reason ?? 'paused by hand' };
    case 'resume':
      return { kind: 'resume', actor };
    case 'promote':
      return {
        kind: 'promote',
        actor,
        full: action.full,
        reason: action.reason ?? promoteReason(action.full),
      };
    case 'abort':
      return { kind: 'abort', actor, reason: action.reason };
    case 'undo':
      return { kind: 'undo', actor, reason: action.reason ?? 'undone by hand' };
  }
}

function promoteReason(full: boolean): string {
  return full ? 'promoted in full by hand' : 'promoted by hand';
}
