import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameTracker } from '../../../src/core/policy/websocket-frames.ts';

interface Frame {
  readonly opcode: number;
  readonly length: number;
  readonly masked: boolean;
}

const frame = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  length: fc.oneof(
    fc.nat(125),
    fc.integer({ min: 126, max: 3_000 }),
    fc.integer({ min: 65_536, max: 70_000 }),
  ),
  masked: fc.boolean(),
});

function bytesOf({ opcode, length, masked }: Frame): Buffer {
  const mask = masked ? 0x80 : 0;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size + (masked ? 4 : 0), 0xff);
  head[0] = 0x80 | opcode;
  head[1] = mask | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  // Payload that looks like heads.
  return Buffer.concat([head, Buffer.alloc(length, 0x88)]);
}

describe('FrameTracker', () => {
  it('is between frames after each whole frame and nowhere else, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9_000 })),
        (frames, sizes) => {
          const tracker = new FrameTracker();
          const ends = new Set([0]);
          let end = 0;
          for (const each of frames) {
            end += bytesOf(each).length;
            ends.add(end);
          }
          const bytes = Buffer.concat(frames.map(bytesOf));
          for (let at = 0; at < bytes.length; ) {
            const size = sizes.next().value ?? 1;
            tracker.feed(bytes.subarray(at, at + size));
            at = Math.min(bytes.length, at + size);
            expect(tracker.atBoundary).toBe(ends.has(at));
          }
          expect(tracker.closed).toBe(false);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  it('notices a close frame', () => {
    const tracker = new FrameTracker();
    tracker.feed(Buffer.concat([bytesOf({ opcode: 1, length: 5, masked: false }), Buffer.from([0x88])]));
    expect(tracker.closed).toBe(false);
    tracker.feed(Buffer.from([0x02, 0x03, 0xe8]));
    expect([tracker.closed, tracker.atBoundary]).toEqual([true, true]);
  });
});
