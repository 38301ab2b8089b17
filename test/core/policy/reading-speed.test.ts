import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadingAllowance } from '../../../src/core/policy/reading-speed.ts';

const LOOK_MS = 1_000;

/**
 * A client that takes `speed` bytes per second in steps of `step`, of a response that is always ahead of it by up to
 * `window` bytes. Returns when it is found too slow, at most `untilMs`.
 */
function cutAtMs(
  rule: { bytesPerSecond: number; graceMs: number },
  client: { speed: number; step: number; window: number },
  untilMs = 3_600_000,
): number {
  const takenAt = (ms: number): number => Math.floor((client.speed * ms) / 1_000 / client.step) * client.step;
  const sentAt = (ms: number): number => takenAt(ms) + client.window;
  const allowance = new ReadingAllowance(rule, 0, client.window, client.window);
  for (let ms = LOOK_MS; ms <= untilMs; ms += LOOK_MS) {
    if (!allowance.keepsUp(ms, sentAt(ms), sentAt(ms) - takenAt(ms))) return ms;
  }
  return Number.POSITIVE_INFINITY;
}

const rules = fc.record({
  bytesPerSecond: fc.integer({ min: 1, max: 100_000 }),
  graceMs: fc.integer({ min: 0, max: 60_000 }),
});
const window = fc.integer({ min: 1, max: 200_000 });

describe('the speed at which a client takes its response', () => {
  it('is no matter of the steps in which it is seen to: at the minimum nobody is cut off', () => {
    fc.assert(
      fc.property(rules, window, fc.double({ min: 0, max: 1, noNaN: true }), (rule, ahead, share) => {
        const step = Math.max(1, Math.floor(share * ahead));
        // A step of bytes is what is taken late, at most.
        const speed = rule.bytesPerSecond * 1.001;
        expect(cutAtMs(rule, { speed, step, window: ahead }, 600_000)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  it('ends who takes nothing after the grace and the time that is due for what waits', () => {
    fc.assert(
      fc.property(rules, window, (rule, ahead) => {
        const dueMs = rule.graceMs + (ahead / rule.bytesPerSecond) * 1_000;
        const ms = cutAtMs(rule, { speed: 0, step: 1, window: ahead }, dueMs + 2 * LOOK_MS);
        expect(ms).toBeGreaterThan(dueMs - 1);
        expect(ms).toBeLessThanOrEqual(dueMs + LOOK_MS);
      }),
    );
  });

  it('ends who takes half of the minimum, however long it goes on', () => {
    const rule = { bytesPerSecond: 1_000, graceMs: 30_000 };
    const ms = cutAtMs(rule, { speed: 500, step: 65_536, window: 80_000 });
    expect(ms).toBeLessThan(2 * (30_000 + 80_000) + LOOK_MS);
  });

  it('counts no time in which nothing waits', () => {
    const allowance = new ReadingAllowance({ bytesPerSecond: 1_000, graceMs: 2_000 }, 0, 1_000, 1_000);
    expect(allowance.keepsUp(1_000, 1_000, 0)).toBe(true);
    expect(allowance.keepsUp(900_000, 1_000, 0)).toBe(true);
    expect(allowance.keepsUp(902_000, 2_000, 1_000)).toBe(true);
    expect(allowance.keepsUp(906_000, 2_000, 1_000)).toBe(false);
  });

  it('does not matter where the minimum is 0', () => {
    expect(cutAtMs({ bytesPerSecond: 0, graceMs: 0 }, { speed: 0, step: 1, window: 9 }, 60_000)).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});
