/**
 * Delivers events to notifiers. The event log is the outbox and a cursor per notifier and rollout says how far
 * it has got, so a restart neither loses nor forgets one; receivers drop repeats by the event's id.
 * @module
 */

import { eventId, type RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutRecord } from '../core/rollout/state.ts';
import type { Delivery, Notifier } from '../ports/notifier.ts';
import type { OperatorContext } from './operator-context.ts';

/** An event that could not be delivered for so long is given up, loudly. */
const GIVE_UP_AFTER_MS = 24 * 3_600_000;
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_MAX_MS = 5 * 60_000;
const IDLE_MS = 2_000;
const BATCH = 50;

export interface NotificationPump {
  /** There may be something new. */
  poke(): void;
  /** Ends after the try under way. */
  close(): Promise<void>;
}

interface Backoff {
  failures: number;
  notBeforeMs: number;
}

export function createNotificationPump(
  context: OperatorContext,
  records: () => Promise<readonly RolloutRecord[]>,
): NotificationPump {
  const ended = new AbortController();
  const backoffs = new Map<string, Backoff>();
  let wake: () => void = () => undefined;

  const deliverDue = async (notifier: Notifier, record: RolloutRecord): Promise<void> => {
    const key = `${notifier.name}/${record.rollout}`;
    const backoff = backoffs.get(key) ?? { failures: 0, notBeforeMs: 0 };
    if (context.clock.nowMs() < backoff.notBeforeMs) return;
    const { cursors, store } = context.backend;
    const cursor = await cursors.load(notifier.name, record.rollout);
    if (cursor >= record.lastSequence) return;
    for (const event of await store.events(record.rollout, cursor, BATCH)) {
      if (ended.signal.aborted) return;
      const done = await deliverOne(context, notifier, event, ended.signal);
      if (done !== true) {
        backoff.failures += 1;
        const waitMs = Math.max(
          done.retryAfterMs ?? 0,
          Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (backoff.failures - 1)),
        );
        backoff.notBeforeMs = context.clock.nowMs() + waitMs;
        backoffs.set(key, backoff);
        context.logger.warn(
          { notifier: notifier.name, event: eventId(event), detail: done.detail, waitMs },
          'notification not delivered; will be repeated',
        );
        return;
      }
      backoffs.delete(key);
      await cursors.save(notifier.name, record.rollout, event.sequence);
    }
  };

  /** One notifier that hangs or fails never holds up another. */
  const round = async (): Promise<void> => {
    const owed = await records();
    const work = context.notifiers.map(async (notifier) => {
      for (const record of owed) {
        if (record.plan.notify.includes(notifier.name)) await deliverDue(notifier, record);
      }
    });
    const results = await Promise.allSettled(work);
    for (const result of results) {
      if (result.status === 'rejected')
        context.logger.warn({ err: result.reason }, 'cannot read the event log for notifications');
    }
  };

  const loop = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, IDLE_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      await round().catch((error) => {
        context.logger.warn({ err: error }, 'cannot list rollouts for notifications; will try again');
      });
      if (ended.signal.aborted) wake();
      await woken;
    }
  };
  const running = context.notifiers.length > 0 ? loop() : Promise.resolve();

  return {
    poke: () => wake(),
    async close() {
      ended.abort();
      wake();
      await running;
    },
  };
}

/** True when there is nothing more to do for this event. */
async function deliverOne(
  context: OperatorContext,
  notifier: Notifier,
  event: RolloutEvent,
  signal: AbortSignal,
): Promise<true | Extract<Delivery, { kind: 'retry' }>> {
  const tooOld = context.clock.nowMs() - event.atMs > GIVE_UP_AFTER_MS;
  const delivery: Delivery = tooOld
    ? { kind: 'refused', detail: 'older than a day' }
    : await notifier.deliver(event, signal);
  switch (delivery.kind) {
    case 'delivered':
      return true;
    case 'retry':
      return delivery;
    case 'refused':
      context.logger.error(
        { notifier: notifier.name, event: eventId(event), detail: delivery.detail },
        'notification given up',
      );
      return true;
  }
}
