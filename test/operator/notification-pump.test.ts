/**
 * The notification pump: in order, repeated with growing pauses, never past a failure, and given up in the end.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RolloutEvent } from '../../src/core/domain/rollout-event.ts';
import { createNotificationPump, type NotificationPump } from '../../src/operator/notification-pump.ts';
import type { Backend } from '../../src/ports/backend.ts';
import type { Delivery, Notifier } from '../../src/ports/notifier.ts';
import { sampleEvent, sampleRecord } from '../conformance/samples.ts';
import { eventually } from '../support/eventually.ts';
import { contextOf, MovedClock, memoryBackend, START_MS } from '../support/sluice-operator.ts';

const DELIVERED: Delivery = { kind: 'delivered' };
const retry = (retryAfterMs: number | null = null): Delivery => ({
  kind: 'retry',
  detail: 'busy',
  retryAfterMs,
});

describe('the notification pump', () => {
  let clock: MovedClock;
  let backend: Backend;
  let pump: NotificationPump | null;
  let tried: number[];

  beforeEach(async () => {
    clock = new MovedClock();
    backend = await memoryBackend(clock);
    tried = [];
    pump = null;
  });
  afterEach(() => pump?.close());

  const record = sampleRecord(1, {
    plan: { ...sampleRecord(1).plan, notify: ['hook', 'other'] },
    lastSequence: 3,
  });

  async function commitEvents(atMs = START_MS): Promise<void> {
    const lease = await backend.leases.acquire('orders', 'operator-1', '', 10_000);
    const epoch = lease.ok ? lease.grant.epoch : 0;
    const events = [1, 2, 3].map((sequence) => sampleEvent(sequence, { atMs }));
    expect(await backend.store.commit({ record, events, epoch })).toEqual({ ok: true });
  }

  function notifier(name: string, answer: (event: RolloutEvent) => Delivery): Notifier {
    return {
      name,
      async deliver(event) {
        if (name === 'hook') tried.push(event.sequence);
        return answer(event);
      },
    };
  }

  function start(...notifiers: readonly Notifier[]): void {
    pump = createNotificationPump(contextOf(backend, clock, { notifiers }), async () => [record]);
  }

  const cursor = (name = 'hook') => backend.cursors.load(name, 'orders-v2');

  it('delivers in order and remembers how far it is, also for the next operator', async () => {
    await commitEvents();
    start(notifier('hook', () => DELIVERED));
    await eventually(async () => (await cursor()) === 3);
    expect(tried).toEqual([1, 2, 3]);
    await pump?.close();
    start(
      notifier('hook', () => DELIVERED),
      notifier('other', () => DELIVERED),
    );
    await eventually(async () => (await cursor('other')) === 3);
    expect(tried).toEqual([1, 2, 3]);
  });

  it('repeats after growing pauses without going past a failure, and holds up nobody else', async () => {
    await commitEvents();
    let healthy = false;
    start(
      notifier('hook', ({ sequence }) => (sequence === 2 && !healthy ? retry() : DELIVERED)),
      notifier('other', () => DELIVERED),
    );
    await eventually(async () => (await cursor('other')) === 3);
    await eventually(() => tried.length === 2);
    // The second failure doubles the pause of the first.
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      const before = tried.length;
      clock.advance(pauseMs - 1);
      pump?.poke();
      await eventually(async () => (await cursor()) === 1);
      expect(tried).toHaveLength(before);
      clock.advance(1);
      await pokeUntil(() => tried.length === before + 1);
    }
    healthy = true;
    clock.advance(8_000);
    await pokeUntil(async () => (await cursor()) === 3);
    expect(tried).toEqual([1, 2, 2, 2, 2, 2, 3]);
  });

  it('waits as long as the receiver asks', async () => {
    await commitEvents();
    start(notifier('hook', () => (tried.length === 1 ? retry(60_000) : DELIVERED)));
    await eventually(() => tried.length === 1);
    clock.advance(59_000);
    pump?.poke();
    await eventually(async () => (await cursor()) === 0);
    expect(tried).toHaveLength(1);
    clock.advance(1_000);
    await pokeUntil(async () => (await cursor()) === 3);
  });

  it('gives up what is refused, and what is older than a day without a try', async () => {
    await commitEvents();
    start(
      notifier('hook', ({ sequence }) => (sequence === 1 ? { kind: 'refused', detail: '404' } : DELIVERED)),
    );
    await eventually(async () => (await cursor()) === 3);
    expect(tried).toEqual([1, 2, 3]);
    await pump?.close();
    clock.advance(25 * 3_600_000);
    tried = [];
    start(notifier('other', () => DELIVERED));
    await eventually(async () => (await cursor('other')) === 3);
    expect(tried).toEqual([]);
  });

  async function pokeUntil(done: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(() => {
      pump?.poke();
      return done();
    });
  }
});
