/**
 * The operator: finds the rollouts that need somebody, holds the leases of their services and ticks them, for
 * as long as it runs. What a tick does is in `tick.ts`, what people ask in `control.ts`.
 * @module
 */

import type { RolloutRecord } from '../core/rollout/state.ts';
import type { Control } from '../ports/control.ts';
import { LEASE_TTL_MS, restoreLost } from './commit.ts';
import { createControl } from './control.ts';
import { createNotificationPump } from './notification-pump.ts';
import type { OperatorContext } from './operator-context.ts';
import type { Session } from './session.ts';
import { createSessionTable, isSameRun, latestByService, type SessionTable } from './session-table.ts';

const DISCOVER_EVERY_MS = 1_500;
/** An ended rollout whose gateways serve its end is looked at this often. */
const SETTLED_TICK_MS = 5_000;

export interface Operator {
  readonly control: Control;
  /** Begins to look after rollouts. `contact` is where its control API can be reached by then. */
  start(): void;
  /** Stops ticking, waits for what is under way and gives up the leases. Idempotent. */
  close(): Promise<void>;
}

export function createOperator(context: OperatorContext): Operator {
  const ended = new AbortController();
  const sessions = createSessionTable(context);
  // Also of rollouts that a later one on the same service has replaced: their last events are still owed.
  const pump = createNotificationPump(context, async () =>
    (await context.backend.store.list()).filter((record) => sessions.get(record.service)),
  );
  sessions.listeners.add((change) => {
    if (change.events.length > 0) pump.poke();
  });
  let running: readonly Promise<void>[] = [];

  return {
    control: createControl(context, sessions),
    start() {
      running = [discoverOften(context, sessions, ended.signal), tickOften(context, sessions, ended.signal)];
    },
    async close() {
      ended.abort();
      await Promise.all(running);
      await pump.close();
      const ends = sessions.all().map((session) =>
        sessions.exclusive(session.record.service, async () => {
          sessions.drop(session);
          await context.backend.leases.release(session.record.service, context.holder);
        }),
      );
      // A store that is down keeps the lease until it runs out; nothing better can be done.
      await Promise.allSettled(ends);
    },
  };
}

/** Lease renewals and ticks run apart, and services apart from each other: one that is slow delays nobody. */
async function discoverOften(
  context: OperatorContext,
  sessions: SessionTable,
  signal: AbortSignal,
): Promise<void> {
  let trouble = '';
  while (!signal.aborted) {
    try {
      await discover(context, sessions);
      trouble = '';
    } catch (error) {
      if (trouble !== String(error))
        context.logger.error({ err: error }, 'cannot read the rollouts; will try again');
      trouble = String(error);
    }
    await sleep(DISCOVER_EVERY_MS, signal);
  }
}

async function tickOften(
  context: OperatorContext,
  sessions: SessionTable,
  signal: AbortSignal,
): Promise<void> {
  const busy = new Set<Session>();
  const tickedAtMs = new WeakMap<Session, number>();
  while (!signal.aborted) {
    const nowMs = context.clock.nowMs();
    for (const session of sessions.all()) {
      const idle = session.settled && Math.abs(nowMs - (tickedAtMs.get(session) ?? 0)) < SETTLED_TICK_MS;
      if (busy.has(session) || idle) continue;
      busy.add(session);
      tickedAtMs.set(session, nowMs);
      void sessions.tickNow(session).finally(() => busy.delete(session));
    }
    await sleep(context.tickMs, signal);
  }
}

/** Takes what nobody looks after, renews what this operator holds, lets go of what another has taken. */
async function discover(context: OperatorContext, sessions: SessionTable): Promise<void> {
  const latest = latestByService(await context.backend.store.list());
  const services = new Set(
    [...latest, ...sessions.all().map((session) => session.record)].map(({ service }) => service),
  );
  const work = [...services].map((service) =>
    lookAfter(context, sessions, service, latest.find((record) => record.service === service) ?? null),
  );
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function lookAfter(
  context: OperatorContext,
  sessions: SessionTable,
  service: string,
  latest: RolloutRecord | null,
): Promise<void> {
  const { leases } = context.backend;
  const result = await leases.acquire(service, context.holder, context.contact(), LEASE_TTL_MS);
  const session = sessions.get(service);
  if (!result.ok) {
    if (session) await sessions.exclusive(service, async () => sessions.drop(session));
    return;
  }
  const { epoch } = result.grant;
  if (session?.epoch === epoch && latest && isSameRun(session.record, latest)) return;
  // Not waited for: a tick of this service may take its time, and other leases are due.
  void sessions
    .exclusive(service, () => adoptLatest(context, sessions, service, epoch))
    .catch((error) => {
      context.logger.error({ service, err: error }, 'cannot look after this service; will try again');
    });
}

/** What was listed may be out of date by now: in its turn, the store is asked again. */
async function adoptLatest(
  context: OperatorContext,
  sessions: SessionTable,
  service: string,
  epoch: number,
): Promise<void> {
  const latest = latestByService(await context.backend.store.list()).find(
    (record) => record.service === service,
  );
  const session = sessions.get(service);
  if (latest) await sessions.adopt(latest, epoch);
  else if (session) await restoreLost(context, session, epoch);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
