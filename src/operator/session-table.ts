/**
 * The sessions of this operator, one per service: taking leases, adopting records, ticking one session safely,
 * and telling listeners what changed. Knows neither when to look (`operator.ts`) nor what people ask.
 * @module
 */

import { formatDuration } from '../core/domain/duration.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import { isActive, type RolloutRecord } from '../core/rollout/state.ts';
import type { RolloutChange } from '../ports/control.ts';
import { LEASE_TTL_MS } from './commit.ts';
import type { OperatorContext } from './operator-context.ts';
import { openSession, type Session, viewOf } from './session.ts';
import { tick } from './tick.ts';

/** Views of an active rollout go out at least this often. */
const VIEW_EVERY_MS = 1_000;
const EVENTS_SHOWN = 20;

export interface SessionTable {
  /** By service. */
  get(service: string): Session | undefined;
  all(): readonly Session[];
  /** Takes or renews the lease of a service; returns its epoch, or throws HELD_ELSEWHERE with `data.contact`. */
  lease(service: string): Promise<number>;
  /**
   * Runs `work` after all other work on the service: ticks, commands, starts and adoptions never overlap. All
   * methods below but `tickNow` are for use inside it.
   */
  exclusive<T>(service: string, work: () => Promise<T>): Promise<T>;
  /** Looks after this record from now on, in place of the service's earlier one. */
  adopt(record: RolloutRecord, epoch: number): Promise<Session>;
  /** Stops looking after a session. */
  drop(session: Session): void;
  /** One tick, in its turn; failures are logged, not thrown. */
  tickNow(session: Session): Promise<void>;
  /** Sends the session's view to all listeners, with every committed event that they were not told of yet. */
  announce(session: Session): void;
  readonly listeners: Set<(change: RolloutChange) => void>;
}

export function createSessionTable(context: OperatorContext): SessionTable {
  const sessions = new Map<string, Session>();
  const listeners = new Set<(change: RolloutChange) => void>();
  const announcedAtMs = new Map<string, number>();
  const troubled = new Map<string, string>();
  const queues = new Map<string, Promise<void>>();
  const { clock, logger, backend } = context;

  const unannounced = (session: Session): readonly RolloutEvent[] =>
    session.events.filter((event) => event.sequence > session.announcedSequence);

  const announce = (session: Session): void => {
    const nowMs = clock.nowMs();
    announcedAtMs.set(session.record.service, nowMs);
    const change = { view: viewOf(session, nowMs), events: unannounced(session) };
    session.announcedSequence = session.record.lastSequence;
    for (const listener of listeners) listener(change);
  };

  const drop = (session: Session): void => {
    if (sessions.get(session.record.service) === session) sessions.delete(session.record.service);
    session.close();
  };

  const isLost = async (rollout: string): Promise<boolean> => {
    try {
      return (await backend.store.load(rollout)) === null;
    } catch {
      return false;
    }
  };

  const trouble = async (session: Session, error: unknown): Promise<void> => {
    const { rollout, service } = session.record;
    const refused =
      error instanceof SluiceError && (error.code === 'STALE_EPOCH' || error.code === 'CONFLICT');
    // A store that has lost the record refuses as well: the session then holds the last copy (`restoreLost`).
    if (refused && !(await isLost(rollout))) {
      logger.warn({ rollout, service, err: error }, 'another operator has written; looking again');
      drop(session);
      return;
    }
    const text = String(error);
    // A dependency that is down says so once, not on every tick.
    if (troubled.get(service) !== text)
      logger.error({ rollout, service, err: error }, 'tick failed; will be repeated');
    troubled.set(service, text);
    session.gap = { cause: 'source-down', detail: `the operator cannot work: ${text}` };
  };

  const exclusive = <T>(service: string, work: () => Promise<T>): Promise<T> => {
    const result = (queues.get(service) ?? Promise.resolve()).then(work);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    queues.set(service, settled);
    return result;
  };

  const tickOnce = async (session: Session): Promise<void> => {
    if (session.closed) return;
    const { service } = session.record;
    try {
      await tick(context, session);
      if (troubled.delete(service)) logger.info({ service }, 'ticking again');
    } catch (error) {
      await trouble(session, error);
    }
    // Also after a failure: what was committed is news, whether or not its effect has gone out yet.
    // Either way, or a clock that steps back by an hour would hush the views for so long.
    const due = Math.abs(clock.nowMs() - (announcedAtMs.get(service) ?? 0)) >= VIEW_EVERY_MS;
    if (unannounced(session).length > 0 || (due && listeners.size > 0 && !session.closed)) announce(session);
  };

  return {
    listeners,
    announce,
    drop,
    get: (service) => sessions.get(service),
    all: () => [...sessions.values()],
    async lease(service) {
      const result = await backend.leases.acquire(service, context.holder, context.contact(), LEASE_TTL_MS);
      if (result.ok) return result.grant.epoch;
      throw new SluiceError('HELD_ELSEWHERE', {
        detail: `operator ${result.holder} holds the lease of ${service}`,
        hint: `If that operator has died, its lease runs out within ${formatDuration(LEASE_TTL_MS)}: try again then.`,
        data: { contact: result.contact, holder: result.holder },
      });
    },
    async adopt(record, epoch) {
      const after = Math.max(0, record.lastSequence - EVENTS_SHOWN);
      const events = await backend.store.events(record.rollout, after, EVENTS_SHOWN);
      const previous = sessions.get(record.service);
      if (previous?.epoch === epoch && isSameRun(previous.record, record)) return previous;
      if (previous) drop(previous);
      const session = openSession(context, record, epoch, events);
      sessions.set(record.service, session);
      return session;
    },
    exclusive,
    tickNow: (session) => exclusive(session.record.service, () => tickOnce(session)),
  };
}

export function isSameRun(a: RolloutRecord, b: RolloutRecord): boolean {
  return a.rollout === b.rollout && a.run === b.run;
}

/**
 * The rollout that says what each service serves: the one under way, else the one that was started last. Starts
 * of a service are counted, not timed: clocks step back, and operators' clocks differ.
 */
export function latestByService(records: readonly RolloutRecord[]): readonly RolloutRecord[] {
  const latest = new Map<string, RolloutRecord>();
  for (const record of records) {
    const other = latest.get(record.service);
    if (!other || precedence(record) > precedence(other)) latest.set(record.service, record);
  }
  return [...latest.values()];
}

function precedence({ state, ordinal }: RolloutRecord): number {
  return isActive(state) ? Number.POSITIVE_INFINITY : ordinal;
}
