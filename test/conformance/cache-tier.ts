/**
 * What every tier of shared responses promises, whatever carries it.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CacheTier, TIER_VALUES } from '../../src/ports/cache-tier.ts';
import { eventually } from '../support/eventually.ts';

export interface OpenedTier {
  readonly tier: CacheTier;
  close(): Promise<void>;
}

const MINUTE = 60_000;

export function describeCacheTier(name: string, open: () => Promise<OpenedTier>): void {
  describe(`${name}: cache tier`, () => {
    let opened: OpenedTier;
    let tier: CacheTier;

    beforeEach(async () => {
      opened = await open();
      tier = opened.tier;
    });
    afterEach(() => opened.close());

    const text = async (resource: string, key: string) => (await tier.get(resource, key))?.toString('latin1');

    it('gives bytes back as they were, below resource and key', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
      await tier.put('shop\n/a', 'v1\n', bytes, MINUTE);
      expect(await tier.get('shop\n/a', 'v1\n')).toEqual(bytes);
      expect(await tier.get('shop\n/a', 'v2\n')).toBeNull();
      expect(await tier.get('shop\n/b', 'v1\n')).toBeNull();
      await tier.put('shop\n/a', 'v1\n', Buffer.from('new'), MINUTE);
      expect(await text('shop\n/a', 'v1\n')).toBe('new');
    });

    it('drops all values of a resource, and of no other', async () => {
      for (const key of ['v1', 'v2']) await tier.put('a', key, Buffer.from('1'), MINUTE);
      await tier.put('b', 'v1', Buffer.from('2'), MINUTE);
      await tier.drop('a');
      await tier.drop('never there');
      expect([await text('a', 'v1'), await text('a', 'v2'), await text('b', 'v1')]).toEqual([
        undefined,
        undefined,
        '2',
      ]);
    });

    it('forgets in time, and keeps a resource as long as its value that lasts longest', async () => {
      await tier.put('a', 'v1', Buffer.from('1'), 30);
      await tier.put('b', 'v1', Buffer.from('2'), MINUTE);
      await tier.put('b', 'v2', Buffer.from('3'), 30);
      await eventually(async () => (await tier.get('a', 'v1')) === null);
      expect(await text('b', 'v1')).toBe('2');
    });

    it('bounds the values of a resource', async () => {
      for (let n = 0; n <= TIER_VALUES; n += 1) await tier.put('a', `v${n}`, Buffer.from(`${n}`), MINUTE);
      expect(await text('a', `v${TIER_VALUES}`)).toBe(`${TIER_VALUES}`);
      expect(await text('a', 'v0')).toBeUndefined();
    });
  });
}
