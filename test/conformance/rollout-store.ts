/**
 * What every rollout store promises, whatever keeps it.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RolloutStore, ServiceLeases } from '../../src/ports/rollout-store.ts';
import { sampleEvent, sampleRecord } from './samples.ts';

export interface OpenedStore {
  readonly store: RolloutStore;
  readonly leases: ServiceLeases;
  close(): Promise<void>;
}

/** `open` gives an empty store. */
export function describeRolloutStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name}: rollouts`, () => {
    let opened: OpenedStore;
    let store: RolloutStore;
    let epoch: number;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      epoch = await acquire('operator-1');
    });
    afterEach(() => opened.close());

    async function acquire(holder: string): Promise<number> {
      const result = await opened.leases.acquire('orders', holder, 'http://127.0.0.1:1', 60_000);
      if (!result.ok) throw new Error(`the lease is held by ${result.holder}`);
      return result.grant.epoch;
    }

    it('has nothing at first', async () => {
      expect(await store.load('orders-v2')).toBeNull();
      expect(await store.list()).toEqual([]);
      expect(await store.events('orders-v2', 0, 10)).toEqual([]);
    });

    it('reads back exactly what was committed', async () => {
      const commit = { record: sampleRecord(1), events: [sampleEvent(1), sampleEvent(2)], epoch };
      expect(await store.commit(commit)).toEqual({ ok: true });
      expect(await store.load('orders-v2')).toEqual(commit.record);
      expect(await store.events('orders-v2', 0, 10)).toEqual(commit.events);
    });

    it('replaces the record and keeps the log when a commit has no events', async () => {
      await store.commit({ record: sampleRecord(1), events: [sampleEvent(1)], epoch });
      expect(await store.commit({ record: sampleRecord(2), events: [], epoch })).toEqual({ ok: true });
      expect(await store.commit({ record: sampleRecord(3), events: [sampleEvent(2)], epoch })).toEqual({
        ok: true,
      });
      expect(await store.load('orders-v2')).toEqual(sampleRecord(3));
      expect(await store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1), sampleEvent(2)]);
    });

    it.each([0, 1, 3])('refuses version %i when 1 is stored, and changes nothing', async (version) => {
      await store.commit({ record: sampleRecord(1), events: [sampleEvent(1)], epoch });
      const commit = { record: sampleRecord(version), events: [sampleEvent(2)], epoch };
      expect(await store.commit(commit)).toEqual({ ok: false, cause: 'version-conflict' });
      expect(await store.load('orders-v2')).toEqual(sampleRecord(1));
      expect(await store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1)]);
    });

    it('refuses a first version other than 1', async () => {
      const commit = { record: sampleRecord(2), events: [], epoch };
      expect(await store.commit(commit)).toEqual({ ok: false, cause: 'version-conflict' });
      expect(await store.list()).toEqual([]);
    });

    it('puts back a record that it has lost, with its version and newest events', async () => {
      const events = [sampleEvent(6), sampleEvent(7)];
      const commit = { record: sampleRecord(41), events, epoch, afterLoss: true } as const;
      expect(await store.commit(commit)).toEqual({ ok: true });
      expect(await store.load('orders-v2')).toEqual(sampleRecord(41));
      expect(await store.events('orders-v2', 0, 10)).toEqual(events);
      expect(await store.commit({ record: sampleRecord(42), events: [], epoch })).toEqual({ ok: true });
    });

    it('refuses to put back what it has not lost', async () => {
      await store.commit({ record: sampleRecord(1), events: [], epoch });
      const commit = { record: sampleRecord(2), events: [], epoch, afterLoss: true } as const;
      expect(await store.commit(commit)).toEqual({ ok: false, cause: 'version-conflict' });
      expect(await store.load('orders-v2')).toEqual(sampleRecord(1));
    });

    it('refuses an operator whose lease another has taken, and changes nothing', async () => {
      await store.commit({ record: sampleRecord(1), events: [], epoch });
      await opened.leases.release('orders', 'operator-1');
      const newer = await acquire('operator-2');
      const commit = { record: sampleRecord(2), events: [sampleEvent(1)], epoch };
      expect(await store.commit(commit)).toEqual({ ok: false, cause: 'stale-epoch' });
      expect(await store.load('orders-v2')).toEqual(sampleRecord(1));
      expect(await store.events('orders-v2', 0, 10)).toEqual([]);
      expect(await store.commit({ ...commit, epoch: newer })).toEqual({ ok: true });
    });

    it('fences by the service of the record, not by others', async () => {
      await opened.leases.acquire('users', 'operator-2', '', 60_000);
      const record = sampleRecord(1, { rollout: 'users-v2', service: 'users' });
      expect(await store.commit({ record, events: [], epoch: 1 })).toMatchObject({ cause: 'stale-epoch' });
      expect(await store.commit({ record: sampleRecord(1), events: [], epoch })).toEqual({ ok: true });
    });

    it('lets exactly one of many concurrent writers win, with its events', async () => {
      const writers = Array.from({ length: 20 }, (_, i) =>
        store.commit({
          record: sampleRecord(1, { message: `${i}` }),
          events: [sampleEvent(1, { reason: `${i}` })],
          epoch,
        }),
      );
      const results = await Promise.all(writers);
      const winner = String(results.findIndex(({ ok }) => ok));
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
      expect((await store.load('orders-v2'))?.message).toBe(winner);
      expect((await store.events('orders-v2', 0, 10)).map(({ reason }) => reason)).toEqual([winner]);
    });

    it('pages through events after a sequence, oldest first', async () => {
      const events = Array.from({ length: 25 }, (_, i) => sampleEvent(i + 1));
      await store.commit({ record: sampleRecord(1), events: events.slice(0, 12), epoch });
      await store.commit({ record: sampleRecord(2), events: events.slice(12), epoch });
      expect(await store.events('orders-v2', 0, 10)).toEqual(events.slice(0, 10));
      expect(await store.events('orders-v2', 10, 10)).toEqual(events.slice(10, 20));
      expect(await store.events('orders-v2', 20, 10)).toEqual(events.slice(20));
      expect(await store.events('orders-v2', 25, 10)).toEqual([]);
      expect(await store.events('orders-v2', 3, 0)).toEqual([]);
    });

    it('lists all records by name', async () => {
      for (const rollout of ['orders-v3', 'a.b', 'orders-v2']) {
        await store.commit({ record: sampleRecord(1, { rollout }), events: [], epoch });
      }
      const names = (await store.list()).map(({ rollout }) => rollout);
      expect(names).toEqual(['a.b', 'orders-v2', 'orders-v3']);
    });

    it('may be closed twice and then refuses commits', async () => {
      await opened.close();
      await opened.close();
      const commit = { record: sampleRecord(1), events: [], epoch };
      await expect(store.commit(commit)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });
  });
}
