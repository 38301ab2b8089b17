import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRate, type RateLimit, rateLimitOf } from '../../../src/core/policy/gcra.ts';

const SECOND_US = 1_000_000;
/** Like an epoch, so that precision is tried where it is used. */
const START_US = 1_790_000_000_000_000;

/** Which of the requests at these times pass. */
function run(limit: RateLimit, timesUs: readonly number[]): boolean[] {
  let idleAtUs = 0;
  return timesUs.map((nowUs) => {
    const decision = decideRate(limit, idleAtUs, nowUs);
    idleAtUs = decision.idleAtUs;
    return decision.allowed;
  });
}

describe('decideRate', () => {
  const limit = rateLimitOf(60, 60_000, 3);

  it('lets a burst pass, then one request per interval', () => {
    const times = [0, 0, 0, 0, SECOND_US - 1, SECOND_US, SECOND_US].map((time) => START_US + time);
    expect(run(limit, times)).toEqual([true, true, true, false, false, true, false]);
  });

  it('says what is left, when the next request passes and when the burst is whole again', () => {
    expect(decideRate(limit, 0, START_US)).toEqual({
      allowed: true,
      idleAtUs: START_US + SECOND_US,
      remaining: 2,
      retryAfterUs: 0,
      resetUs: SECOND_US,
    });
    const spent = START_US + 3 * SECOND_US;
    expect(decideRate(limit, spent, START_US + 400_000)).toEqual({
      allowed: false,
      idleAtUs: spent,
      remaining: 0,
      retryAfterUs: 600_000,
      resetUs: 2_600_000,
    });
  });

  it('rounds an interval up, so that the rate is never exceeded', () => {
    expect(rateLimitOf(7, 1000, 1).intervalUs).toBe(142_858);
    expect(rateLimitOf(10_000, 1000, 1).intervalUs).toBe(100);
  });

  it('waits no longer than one burst after the clock went back', () => {
    const { retryAfterUs, resetUs } = decideRate(limit, START_US + 3600 * SECOND_US, START_US);
    expect([retryAfterUs, resetUs]).toEqual([SECOND_US, 3 * SECOND_US]);
  });

  const anyLimit = fc
    .record({ count: fc.integer({ min: 1, max: 5000 }), burst: fc.integer({ min: 1, max: 50 }) })
    .map(({ count, burst }) => rateLimitOf(count, 1000, burst));
  const anyGaps = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 2_000_000 })),
    {
      maxLength: 200,
    },
  );

  it('property: no window of time t lets more than burst + t / interval pass', () => {
    fc.assert(
      fc.property(anyLimit, anyGaps, (each, gaps) => {
        let nowUs = START_US;
        const times = gaps.map((gap) => {
          nowUs += gap;
          return nowUs;
        });
        const passes = run(each, times);
        const passed = times.filter((_, index) => passes[index]);
        for (let from = 0; from < passed.length; from += 1) {
          for (let to = from; to < passed.length; to += 1) {
            const lengthUs = (passed[to] ?? 0) - (passed[from] ?? 0);
            expect(to - from + 1).toBeLessThanOrEqual(each.burst + lengthUs / each.intervalUs + 1e-9);
          }
        }
      }),
    );
  });

  it('property: a refused request passes exactly when it was told to come back, and not before', () => {
    fc.assert(
      fc.property(anyLimit, anyGaps, (each, gaps) => {
        let nowUs = START_US;
        let idleAtUs = 0;
        for (const gap of gaps) {
          nowUs += gap;
          const decision = decideRate(each, idleAtUs, nowUs);
          idleAtUs = decision.idleAtUs;
          if (decision.allowed) continue;
          expect(decideRate(each, idleAtUs, nowUs + decision.retryAfterUs).allowed).toBe(true);
          expect(decideRate(each, idleAtUs, nowUs + decision.retryAfterUs - 1).allowed).toBe(false);
        }
      }),
    );
  });

  it('property: as many requests as remain pass at once, and not one more', () => {
    fc.assert(
      fc.property(anyLimit, anyGaps, (each, gaps) => {
        let nowUs = START_US;
        let idleAtUs = 0;
        let remaining = each.burst;
        for (const gap of gaps) {
          nowUs += gap;
          const decision = decideRate(each, idleAtUs, nowUs);
          ({ idleAtUs, remaining } = decision);
        }
        for (let i = 0; i < remaining; i += 1) {
          const decision = decideRate(each, idleAtUs, nowUs);
          expect(decision.allowed).toBe(true);
          idleAtUs = decision.idleAtUs;
        }
        expect(decideRate(each, idleAtUs, nowUs).allowed).toBe(false);
      }),
    );
  });
});
