/**
 * The operator: finds the rollouts that need somebody, holds the leases of their services and ticks them, for
 * as long as it runs. What a tick does is in `tick.ts`, what people ask in `control.ts`.
 * @module
 */

import type { Control } from '../ports/control.ts';
import { LEASE_TTL_MS, restoreLost } from './commit.ts';
import { createControl } from './control.ts';
import { createNotificationPump } from './notification-pump.ts';
import type { OperatorContext } from './operator-context.ts';
import { createSessionTable, latestByService, type SessionTable } from './session-table.ts';

const DISCOVER_EVERY_MS = 1_500;

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
  const pump = createNotificationPump(context, () => sessions.all().map((session) => session.record));
  sessions.listeners.add((change) => {
    if (change.events.length > 0) pump.poke();
  });
  let running: Promise<void> = Promise.resolve();

  return {
    control: createControl(context, sessions),
    start() {
      running = loop(context, sessions, ended.signal);
    },
    async close() {
      ended.abort();
      await running;
      await pump.close();
      for (const session of sessions.all()) {
        sessions.drop(session);
        // A store that is down keeps the lease until it runs out; nothing better can be done.
        await context.backend.leases.release(session.record.service, context.holder).catch(() => undefined);
      }
    },
  };
}

async function loop(context: OperatorContext, sessions: SessionTable, signal: AbortSignal): Promise<void> {
  const { clock, logger } = context;
  let discoveredAtMs = Number.NEGATIVE_INFINITY;
  let trouble = '';
  while (!signal.aborted) {
    const startedAtMs = clock.nowMs();
    if (startedAtMs - discoveredAtMs >= DISCOVER_EVERY_MS) {
      discoveredAtMs = startedAtMs;
      try {
        await discover(context, sessions);
        trouble = '';
      } catch (error) {
        if (trouble !== String(error))
          logger.error({ err: error }, 'cannot read the rollouts; will try again');
        trouble = String(error);
      }
    }
    await Promise.all(sessions.all().map((session) => sessions.tickNow(session)));
    await sleep(Math.max(10, context.tickMs - (clock.nowMs() - startedAtMs)), signal);
  }
}

/** Takes what nobody looks after, renews what this operator holds, lets go of what another has taken. */
async function discover(context: OperatorContext, sessions: SessionTable): Promise<void> {
  const { backend, holder, logger } = context;
  const records = await backend.store.list();
  const recorded = new Set(records.map((record) => record.rollout));
  for (const session of sessions.all()) {
    if (!recorded.has(session.record.rollout)) await restoreLost(context, session);
  }
  for (const record of latestByService(records)) {
    const { service } = record;
    const session = sessions.get(service);
    const result = await backend.leases.acquire(service, holder, context.contact(), LEASE_TTL_MS);
    if (!result.ok) {
      if (session) sessions.drop(session);
      continue;
    }
    const { epoch } = result.grant;
    const same = session?.record.rollout === record.rollout && session.record.run === record.run;
    if (same && session.epoch === epoch) continue;
    // Read again under the lease: the record may have moved since it was listed.
    const fresh = await backend.store.load(record.rollout);
    if (!fresh) continue;
    await sessions.adopt(fresh, epoch);
    logger.info(
      { rollout: fresh.rollout, service, phase: fresh.state.phase, epoch },
      'looking after rollout',
    );
  }
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
