/**
 * What every purge channel promises, whatever carries it.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PURGES_KEPT, type Purge } from '../../src/core/policy/cache/purge.ts';
import type { PurgeChannel, PurgeHistory, PurgeListener } from '../../src/ports/purge-channel.ts';
import { eventually } from '../support/eventually.ts';

export interface OpenedPurgeChannel {
  readonly purges: PurgeChannel;
  close(): Promise<void>;
}

export const tagged = (value: string): Purge => ({ by: 'tag', value, service: null });

/** Remembers what it was told. */
export function recordingPurges(): PurgeListener & {
  readonly heard: string[];
  readonly histories: PurgeHistory[];
} {
  const heard: string[] = [];
  const histories: PurgeHistory[] = [];
  return {
    heard,
    histories,
    onPurge: ({ sequence, value }) => heard.push(`${sequence} ${value}`),
    onHistory: (history) => histories.push(history),
  };
}

export function describePurgeChannel(name: string, open: () => Promise<OpenedPurgeChannel>): void {
  describe(`${name}: purge channel`, () => {
    let opened: OpenedPurgeChannel;
    let channel: PurgeChannel;
    let ending: AbortController;

    beforeEach(async () => {
      opened = await open();
      channel = opened.purges;
      ending = new AbortController();
    });
    afterEach(async () => {
      ending.abort();
      await opened.close();
    });

    it('numbers purges from 1 and says that nobody was there', async () => {
      expect(await channel.publish(tagged('a'))).toEqual({
        sequence: 1,
        reached: { gateways: 0, applied: 0 },
      });
      expect((await channel.publish(tagged('a'))).sequence).toBe(2);
    });

    it('announces several in their order, without waiting for gateways', async () => {
      const told = recordingPurges();
      await channel.watch('g1', told, ending.signal);
      await channel.announce(['a', 'b', 'c'].map(tagged));
      await eventually(() => told.heard.length === 3);
      expect(told.heard).toEqual(['1 a', '2 b', '3 c']);
    });

    it('begins a watch with what was before, whole', async () => {
      const purge: Purge = { by: 'prefix', value: '/a', service: 'shop' };
      await channel.publish(purge);
      await channel.publish(tagged('b'));
      const listener = recordingPurges();
      await channel.watch('gw-1', listener, ending.signal);
      expect(listener.histories).toMatchObject([
        {
          sequence: 2,
          purges: [
            { ...purge, sequence: 1 },
            { ...tagged('b'), sequence: 2 },
          ],
        },
      ]);
      expect(listener.heard).toEqual([]);
    });

    it('delivers every purge to every gateway, once and in order, and counts who has applied it', async () => {
      const [one, two] = [recordingPurges(), recordingPurges()];
      await channel.watch('gw-1', one, ending.signal);
      await channel.watch('gw-2', two, ending.signal);
      await eventually(async () => (await channel.publish(tagged('x'))).reached?.gateways === 2);
      const before = one.heard.length;
      const { reached } = await channel.publish(tagged('y'));
      expect(reached).toEqual({ gateways: 2, applied: 2 });
      await Promise.all(Array.from({ length: 20 }, (_, n) => channel.publish(tagged(`n${n}`))));
      await eventually(() => one.heard.length === before + 21 && two.heard.length === one.heard.length);
      const numbers = one.heard.map((line) => Number(line.split(' ')[0]));
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
      expect(two.heard).toEqual(one.heard);
      expect(one.histories).toHaveLength(1);
    });

    it('tells nothing after the end of a watch', async () => {
      const [ended, on] = [recordingPurges(), recordingPurges()];
      const end = new AbortController();
      await channel.watch('gw-1', ended, end.signal);
      await channel.watch('gw-2', on, ending.signal);
      end.abort();
      await channel.publish(tagged('a'));
      await eventually(() => on.heard.length === 1);
      expect(ended.heard).toEqual([]);
    });

    it('remembers only the newest', async () => {
      for (let n = 0; n < PURGES_KEPT + 3; n += 100) {
        const some = Math.min(100, PURGES_KEPT + 3 - n);
        await Promise.all(Array.from({ length: some }, () => channel.publish(tagged('a'))));
      }
      const listener = recordingPurges();
      await channel.watch('gw-1', listener, ending.signal);
      const [history] = listener.histories;
      expect(history?.sequence).toBe(PURGES_KEPT + 3);
      expect(history?.purges).toHaveLength(PURGES_KEPT);
      expect(history?.purges[0]?.sequence).toBe(4);
    });

    it('refuses to publish when it is closed', async () => {
      await opened.close();
      await expect(channel.publish(tagged('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });
  });
}
