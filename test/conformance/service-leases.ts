/**
 * What leases on services promise, whatever keeps them.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceLeases } from '../../src/ports/rollout-store.ts';
import { eventually } from '../support/eventually.ts';

export interface OpenedLeases {
  readonly leases: ServiceLeases;
  close(): Promise<void>;
}

/** `open` gives leases that nobody holds. */
export function describeServiceLeases(name: string, open: () => Promise<OpenedLeases>): void {
  describe(`${name}: leases`, () => {
    let opened: OpenedLeases;
    let leases: ServiceLeases;

    beforeEach(async () => {
      opened = await open();
      leases = opened.leases;
    });
    afterEach(() => opened.close());

    const take = (holder: string, ttlMs = 60_000, service = 'orders') =>
      leases.acquire(service, holder, `http://${holder}`, ttlMs);

    async function epochOf(holder: string, ttlMs = 60_000): Promise<number> {
      const result = await take(holder, ttlMs);
      if (!result.ok) throw new Error(`held by ${result.holder}`);
      return result.grant.epoch;
    }

    it('grants a free lease, and names the holder and its contact to others', async () => {
      expect(await take('one')).toMatchObject({ ok: true });
      expect(await take('other')).toEqual({ ok: false, holder: 'one', contact: 'http://one' });
      expect(await take('other', 60_000, 'users')).toMatchObject({ ok: true });
    });

    it('keeps the epoch on renewal and takes over a new contact', async () => {
      const epoch = await epochOf('one');
      const renewed = await leases.acquire('orders', 'one', 'http://moved', 60_000);
      expect(renewed).toEqual({ ok: true, grant: { epoch } });
      expect(await take('other')).toMatchObject({ contact: 'http://moved' });
    });

    it('starts epochs at the time in seconds, so that they grow even after a loss of data', async () => {
      const epoch = await epochOf('one');
      expect(Math.abs(epoch - Date.now() / 1000)).toBeLessThan(5);
    });

    it('grants a lease that ran out to another, under a higher epoch', async () => {
      const before = await epochOf('one', 100);
      await eventually(async () => (await take('other')).ok);
      expect(await epochOf('other')).toBeGreaterThan(before);
      expect(await take('one')).toMatchObject({ ok: false, holder: 'other' });
    });

    it('does not run out as long as it is renewed', async () => {
      await take('one', 400);
      const untilMs = performance.now() + 1200;
      while (performance.now() < untilMs) {
        expect(await take('one', 400)).toMatchObject({ ok: true });
        expect(await take('other', 400)).toMatchObject({ ok: false });
      }
    });

    it('gives every change of holder a higher epoch, however fast they follow', async () => {
      const epochs: number[] = [];
      for (let i = 0; i < 5; i += 1) {
        for (const holder of ['one', 'other']) {
          epochs.push(await epochOf(holder));
          await leases.release('orders', holder);
        }
      }
      expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
    });

    it('is given up only by its holder', async () => {
      await take('one');
      await leases.release('orders', 'other');
      expect(await take('other')).toMatchObject({ ok: false });
      await leases.release('orders', 'one');
      expect(await take('other')).toMatchObject({ ok: true });
    });

    it('goes to exactly one of many who ask at once', async () => {
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) => take(`operator-${i}`)));
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    });
  });
}
