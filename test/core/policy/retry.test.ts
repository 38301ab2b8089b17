import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RetryFacts, type RetryLimits, retryDelayMs } from '../../../src/core/policy/retry.ts';

const limits: RetryLimits = { attempts: 2, on: ['connect', 'reset', '503'], baseMs: 25, maxMs: 250 };
const facts: RetryFacts = {
  method: 'GET',
  idempotent: false,
  failure: 'connect',
  retriesMade: 0,
  sinceFirstMs: 10,
  replayable: true,
  responseStarted: false,
  remainingMs: 1_000,
};

describe('retryDelayMs', () => {
  it('retries an idempotent method on a listed failure', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      expect(retryDelayMs(limits, { ...facts, method }, 0.5)).toBe(12.5);
    }
  });

  it('retries any method for which an idempotency key is held', () => {
    for (const method of ['POST', 'PATCH']) {
      expect(retryDelayMs(limits, { ...facts, method, idempotent: true }, 0.5)).toBe(12.5);
    }
  });

  it.each([
    ['a method that is not idempotent', { method: 'POST' }],
    ['a method that nobody declared idempotent', { method: 'PATCH' }],
    ['a failure that is not listed', { failure: 'timeout' }],
    ['the last attempt', { retriesMade: 2 }],
    ['a body that is gone', { replayable: false }],
    ['a response that has begun', { responseStarted: true }],
    ['a deadline that leaves no room', { remainingMs: 5 }],
    ['a deadline that has passed', { remainingMs: -1 }],
  ] as const)('does not retry %s', (_case, change) => {
    expect(retryDelayMs(limits, { ...facts, ...change }, 0.5)).toBeNull();
  });

  it('property: a backoff is below base · 2^n, below the maximum and below the time that remains', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: -10, max: 20_000 }),
        (retriesMade, baseMs, maxMs, random, remainingMs) => {
          const delayMs = retryDelayMs(
            { ...limits, attempts: 5, baseMs, maxMs },
            { ...facts, retriesMade, remainingMs },
            random,
          );
          const ceilingMs = Math.min(maxMs, baseMs * 2 ** retriesMade);
          if (delayMs === null) expect(random * ceilingMs).toBeGreaterThanOrEqual(remainingMs);
          else {
            expect(delayMs).toBeGreaterThanOrEqual(0);
            expect(delayMs).toBeLessThan(ceilingMs);
            expect(delayMs).toBeLessThan(remainingMs);
          }
        },
      ),
    );
  });

  it.each<[number, number, boolean]>([
    [0, 49, true],
    [0, 50, false],
    [1, 400, true],
  ])(
    'after %d retries, %d ms since the first attempt began, with a first one that had to be quicker than 50 ms: %s',
    (made, ms, again) => {
      const quick = { ...limits, attempts: 3, onlyIfFirstAttemptUnderMs: 50 };
      expect(retryDelayMs(quick, { ...facts, retriesMade: made, sinceFirstMs: ms }, 0) !== null).toBe(again);
    },
  );
});
