/**
 * What every telemetry stream promises, whatever carries it.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_OUTCOMES } from '../../src/core/domain/telemetry.ts';
import type { TelemetryStream } from '../../src/ports/telemetry-stream.ts';
import { sampleSummary } from './samples.ts';

export interface OpenedStream {
  readonly stream: TelemetryStream;
  close(): Promise<void>;
}

const CAP = 200;
/** A stream may keep this many more than its cap. */
const SLACK = 200;

/** `open` gives an empty stream with the given cap. */
export function describeTelemetryStream(name: string, open: (cap: number) => Promise<OpenedStream>): void {
  describe(`${name}: telemetry`, () => {
    let opened: OpenedStream;
    let stream: TelemetryStream;

    beforeEach(async () => {
      opened = await open(CAP);
      stream = opened.stream;
    });
    afterEach(() => opened.close());

    async function emit(from: number, to: number): Promise<void> {
      for (let sequence = from; sequence <= to; sequence += 1) await stream.emit(sampleSummary(sequence));
    }
    async function readSequences(cursor: string | null, limit = 1000) {
      const batch = await stream.read('orders', cursor, limit);
      return { ...batch, sequences: batch.summaries.map(({ sequence }) => sequence) };
    }

    it('gives nothing of a service that nobody reports on, and a cursor to go on from', async () => {
      const empty = await readSequences(null);
      expect(empty).toMatchObject({ sequences: [], lost: false });
      await emit(1, 2);
      expect(await readSequences(empty.cursor)).toMatchObject({ sequences: [1, 2], lost: false });
    });

    it('reads back exactly what was emitted, by service', async () => {
      const traffic = { outcomes: { ...NO_OUTCOMES, status2xx: 3 }, latencyUs: [100, 2, 180, 1] };
      const summary = sampleSummary(1, {
        versions: { v1: { attempts: traffic, responses: traffic, forced: 1 } },
      });
      await stream.emit(summary);
      await stream.emit(sampleSummary(1, { service: 'users' }));
      expect((await stream.read('orders', null, 10)).summaries).toEqual([summary]);
    });

    it('resumes after a cursor, in pages of at most the limit', async () => {
      await emit(1, 5);
      const first = await readSequences(null, 2);
      expect(first.sequences).toEqual([1, 2]);
      const second = await readSequences(first.cursor, 2);
      expect(second.sequences).toEqual([3, 4]);
      const third = await readSequences(second.cursor, 2);
      expect(third.sequences).toEqual([5]);
      const fourth = await readSequences(third.cursor, 2);
      expect(fourth).toMatchObject({ sequences: [], lost: false });
      await emit(6, 6);
      expect(await readSequences(fourth.cursor)).toMatchObject({ sequences: [6], lost: false });
      // A cursor is not used up.
      expect(await readSequences(first.cursor)).toMatchObject({ sequences: [3, 4, 5, 6], lost: false });
    });

    it('drops the oldest beyond its cap, which is no loss to a reader without a cursor', async () => {
      await emit(1, 3 * CAP);
      const { sequences, lost } = await readSequences(null);
      expect(lost).toBe(false);
      expect(sequences.length).toBeGreaterThanOrEqual(CAP);
      expect(sequences.length).toBeLessThanOrEqual(CAP + SLACK);
      expect(sequences.at(-1)).toBe(3 * CAP);
      expect(sequences[0]).toBe(3 * CAP - sequences.length + 1);
    });

    it('tells a reader that fell behind, once, and goes on from the oldest retained', async () => {
      await emit(1, 10);
      const { cursor } = await readSequences(null, 5);
      await emit(11, 10 + 3 * CAP);
      const behind = await readSequences(cursor, CAP);
      expect(behind.lost).toBe(true);
      expect(behind.sequences).toHaveLength(CAP);
      const next = await readSequences(behind.cursor);
      expect(next.lost).toBe(false);
      expect(next.sequences[0] ?? 10 + 3 * CAP + 1).toBe((behind.sequences.at(-1) ?? 0) + 1);
    });

    it('does not call it a loss when only summaries that were read fell off', async () => {
      await emit(1, 2 * CAP);
      const { cursor, sequences } = await readSequences(null);
      await emit(2 * CAP + 1, 3 * CAP - 1);
      expect(sequences.at(-1)).toBe(2 * CAP);
      const next = await readSequences(cursor);
      expect(next.lost).toBe(false);
      expect(next.sequences).toHaveLength(CAP - 1);
    });

    it.each(['nonsense', '1-1/elsewhere/4', 'another-incarnation:4'])(
      'reports a loss for a cursor that it does not know: %s',
      async (cursor) => {
        await emit(1, 2);
        expect(await readSequences(cursor)).toMatchObject({ sequences: [1, 2], lost: true });
      },
    );
  });
}
