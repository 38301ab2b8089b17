/**
 * What every weight channel promises, whatever carries it.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WeightChannel } from '../../src/ports/weight-channel.ts';
import { eventually } from '../support/eventually.ts';
import { createRecordingListener } from './recording-listener.ts';
import { sampleAcknowledgement, sampleSplit } from './samples.ts';

export interface OpenedChannel {
  readonly channel: WeightChannel;
  close(): Promise<void>;
}

/** `open` gives a channel in which nothing is stored. */
export function describeWeightChannel(name: string, open: () => Promise<OpenedChannel>): void {
  let opened: OpenedChannel;
  let channel: WeightChannel;
  let watching: AbortController;

  beforeEach(async () => {
    opened = await open();
    channel = opened.channel;
    watching = new AbortController();
  });
  afterEach(async () => {
    watching.abort();
    await opened.close();
  });

  async function watch(...services: string[]) {
    const listener = createRecordingListener();
    await channel.watch(services, listener, watching.signal);
    return listener;
  }

  describe(`${name}: writing weights`, () => {
    it('has no document of a service that was never written', async () => {
      expect(await channel.read('orders')).toBeNull();
    });

    it('reads back exactly what was written, by service', async () => {
      const orders = sampleSplit();
      const users = sampleSplit({ service: 'users', revision: 1, canary: null, lease: null, matches: [] });
      expect(await channel.write(orders)).toEqual({ ok: true });
      expect(await channel.write(users)).toEqual({ ok: true });
      expect(await channel.read('orders')).toEqual(orders);
      expect(await channel.read('users')).toEqual(users);
    });

    it('reads back a mirror, delivers it, and no mirror again after it', async () => {
      const listener = await watch('orders');
      const mirror = { version: 'v2', shareBp: 1_000 };
      const mirroring = sampleSplit({ weights: { v1: 10_000, v2: 0 }, mirror });
      expect(await channel.write(mirroring)).toEqual({ ok: true });
      expect(await channel.read('orders')).toEqual(mirroring);
      await eventually(() => listener.splits.at(-1)?.mirror !== undefined);
      expect(listener.splits.at(-1)?.mirror).toEqual(mirror);
      expect(await channel.renew('orders', 1, 1)).toEqual({ ok: true });
      const after = sampleSplit({ revision: 2 });
      expect(await channel.write(after)).toEqual({ ok: true });
      await eventually(() => listener.splits.at(-1)?.revision === 2);
      expect(listener.splits.at(-1)).toEqual(after);
    });

    it('accepts any revision from 1 when nothing is stored, but never 0', async () => {
      expect(await channel.write(sampleSplit({ revision: 0 }))).toEqual({
        ok: false,
        cause: 'revision-conflict',
        current: null,
      });
      expect(await channel.write(sampleSplit({ revision: 17 }))).toEqual({ ok: true });
    });

    it.each([1, 2, 4])('refuses revision %i when 2 is stored, and shows what is stored', async (revision) => {
      const stored = sampleSplit({ revision: 2 });
      await channel.write(stored);
      const result = await channel.write(sampleSplit({ revision }));
      expect(result).toEqual({ ok: false, cause: 'revision-conflict', current: stored });
      expect(await channel.read('orders')).toEqual(stored);
    });

    it('refuses an operator of an older epoch even with the right revision', async () => {
      const stored = sampleSplit({ epoch: 1_900_000_001 });
      await channel.write(stored);
      const result = await channel.write(sampleSplit({ revision: 2, epoch: 1_900_000_000 }));
      expect(result).toEqual({ ok: false, cause: 'stale-epoch', current: stored });
    });

    it('lets exactly one of many concurrent writers win', async () => {
      await channel.write(sampleSplit());
      const writers = Array.from({ length: 20 }, (_, i) =>
        channel.write(sampleSplit({ revision: 2, issuedAtMs: i })),
      );
      const results = await Promise.all(writers);
      const winner = results.findIndex(({ ok }) => ok);
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
      expect((await channel.read('orders'))?.issuedAtMs).toBe(winner);
    });

    it('renews only the stored revision under its own epoch', async () => {
      const stored = sampleSplit({ revision: 3, epoch: 5 });
      expect(await channel.renew('orders', 1, 1)).toEqual({
        ok: false,
        cause: 'revision-conflict',
        current: null,
      });
      await channel.write(stored);
      expect(await channel.renew('orders', 3, 5)).toEqual({ ok: true });
      const conflict = { ok: false, cause: 'revision-conflict', current: stored };
      expect(await channel.renew('orders', 2, 5)).toEqual(conflict);
      expect(await channel.renew('orders', 3, 6)).toEqual(conflict);
      expect(await channel.renew('orders', 3, 4)).toEqual({ ...conflict, cause: 'stale-epoch' });
    });
  });

  describe(`${name}: watching weights`, () => {
    it('has delivered the stored documents and the connection when watch resolves', async () => {
      const orders = sampleSplit({ revision: 4 });
      await channel.write(orders);
      await channel.write(sampleSplit({ service: 'users' }));
      const listener = await watch('orders', 'nothing-stored');
      expect(listener.splits).toEqual([orders]);
      expect(listener.connections).toEqual([true]);
    });

    it('delivers each write once and in order', async () => {
      const listener = await watch('orders', 'users');
      for (let revision = 1; revision <= 30; revision += 1) await channel.write(sampleSplit({ revision }));
      await channel.write(sampleSplit({ service: 'users' }));
      await channel.write(sampleSplit({ service: 'unwatched' }));
      const revisionsOf = (service: string): number[] =>
        listener.splits.filter((split) => split.service === service).map((split) => split.revision);
      // Messages of two services may travel by different nodes: each is waited for.
      await eventually(() => revisionsOf('users').length > 0 && revisionsOf('orders').includes(30));
      const revisions = revisionsOf('orders');
      expect(revisions.at(-1)).toBe(30);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(listener.splits.filter(({ service }) => service === 'unwatched')).toEqual([]);
      expect(listener.renewals).toEqual([]);
    });

    it('tells what it found stored from what was written while it looked on, and of no earlier renewal', async () => {
      await channel.write(sampleSplit());
      await channel.renew('orders', 1, 1);
      const listener = await watch('orders', 'users');
      await channel.write(sampleSplit({ revision: 2 }));
      await channel.write(sampleSplit({ service: 'users' }));
      await eventually(() => listener.splits.length === 3);
      expect(listener.origins).toEqual(['stored', 'published', 'published']);
      expect(listener.renewals).toEqual([]);
    });

    it('delivers to every watcher', async () => {
      const [one, other] = [await watch('orders'), await watch('orders')];
      await channel.write(sampleSplit());
      await eventually(() => one.splits.length === 1 && other.splits.length === 1);
    });

    it('tells of renewals, and of refused ones nothing', async () => {
      await channel.write(sampleSplit({ revision: 7 }));
      const listener = await watch('orders');
      await channel.renew('orders', 6, 1);
      await channel.renew('orders', 7, 1);
      await eventually(() => listener.renewals.length > 0);
      await channel.renew('orders', 7, 1);
      await eventually(() => listener.renewals.length > 1);
      expect(listener.renewals).toEqual(['orders@7', 'orders@7']);
      expect(listener.splits).toHaveLength(1);
    });

    it('ends with its signal, also one that is aborted already', async () => {
      const listener = await watch('orders');
      const witness = createRecordingListener();
      const other = new AbortController();
      await channel.watch(['orders'], witness, other.signal);
      watching.abort();
      const late = createRecordingListener();
      await channel.watch(['orders'], late, watching.signal);
      await channel.write(sampleSplit());
      await eventually(() => witness.splits.length === 1);
      other.abort();
      expect(listener.splits).toEqual([]);
      expect(late).toMatchObject({ splits: [], connections: [] });
    });
  });

  describe(`${name}: acknowledgements`, () => {
    it('lists the newest of each gateway with its age, by service', async () => {
      await channel.acknowledge(sampleAcknowledgement({ revision: 1 }));
      await channel.acknowledge(sampleAcknowledgement({ gateway: 'gateway-2' }));
      await channel.acknowledge(sampleAcknowledgement({ service: 'users' }));
      await channel.acknowledge(sampleAcknowledgement({ revision: 2, state: 'lease-expired' }));
      const live = await channel.acknowledgements('orders');
      expect(live).toEqual([
        { ...sampleAcknowledgement({ revision: 2, state: 'lease-expired' }), ageMs: expect.any(Number) },
        { ...sampleAcknowledgement({ gateway: 'gateway-2' }), ageMs: expect.any(Number) },
      ]);
      for (const { ageMs } of live) expect(ageMs).toBeLessThan(5000);
      expect(live.every(({ ageMs }) => ageMs >= 0)).toBe(true);
    });

    it('lets the age grow until the next sign of life', async () => {
      await channel.acknowledge(sampleAcknowledgement());
      const ageMs = async () => (await channel.acknowledgements('orders'))[0]?.ageMs ?? 0;
      await eventually(async () => (await ageMs()) >= 50);
      await channel.acknowledge(sampleAcknowledgement());
      expect(await ageMs()).toBeLessThan(50);
    });

    it('has none of a service that no gateway serves', async () => {
      expect(await channel.acknowledgements('orders')).toEqual([]);
    });
  });

  describe(`${name}: closing`, () => {
    it('may be closed twice, ends watches and refuses writes', async () => {
      await watch('orders');
      await opened.close();
      await opened.close();
      await expect(channel.write(sampleSplit())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });
  });
}
