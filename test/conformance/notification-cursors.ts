/**
 * What notification cursors promise, whatever keeps them.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NotificationCursors } from '../../src/ports/rollout-store.ts';

export interface OpenedCursors {
  readonly cursors: NotificationCursors;
  close(): Promise<void>;
}

/** `open` gives cursors that were never saved. */
export function describeNotificationCursors(name: string, open: () => Promise<OpenedCursors>): void {
  describe(`${name}: notification cursors`, () => {
    let opened: OpenedCursors;

    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    it('start at 0', async () => {
      expect(await opened.cursors.load('slack', 'orders-v2')).toBe(0);
    });

    it('are kept by notifier and rollout', async () => {
      const { cursors } = opened;
      await cursors.save('slack', 'orders-v2', 3);
      await cursors.save('slack', 'users-v2', 5);
      await cursors.save('webhook', 'orders-v2', 7);
      await cursors.save('slack', 'orders-v2', 4);
      expect(await cursors.load('slack', 'orders-v2')).toBe(4);
      expect(await cursors.load('slack', 'users-v2')).toBe(5);
      expect(await cursors.load('webhook', 'orders-v2')).toBe(7);
      expect(await cursors.load('webhook', 'users-v2')).toBe(0);
    });
  });
}
