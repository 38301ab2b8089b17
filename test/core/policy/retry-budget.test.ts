import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY_BUDGET, RetryBudget } from '../../../src/core/policy/retry-budget.ts';

function retriesGranted(budget: RetryBudget, nowMs: number, asked: number): number {
  let granted = 0;
  for (let i = 0; i < asked; i += 1) if (budget.tryRetry(nowMs)) granted += 1;
  return granted;
}

function sumOf<K extends string>(entries: readonly Readonly<Record<K, number>>[], key: K): number {
  return entries.reduce((total, entry) => total + entry[key], 0);
}

describe('RetryBudget', () => {
  it('grants the floor of ten per second over its window to a quiet service', () => {
    expect(retriesGranted(new RetryBudget(DEFAULT_RETRY_BUDGET), 0, 1_000)).toBe(100);
  });

  it('grants a fifth of the requests of the last ten seconds to a busy one', () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    for (let i = 0; i < 5_000; i += 1) budget.countRequest(1_000 + i);
    expect(retriesGranted(budget, 6_000, 5_000)).toBe(1_000);
  });

  it('forgets what is older than ten seconds', () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    for (let i = 0; i < 5_000; i += 1) budget.countRequest(0);
    expect(retriesGranted(budget, 500, 5_000)).toBe(1_000);
    expect(retriesGranted(budget, 9_999, 5_000)).toBe(0);
    expect(retriesGranted(budget, 10_000, 5_000)).toBe(100);
  });

  it('survives a clock that stands still, goes back or leaps', () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    expect(budget.tryRetry(50_000)).toBe(true);
    expect(budget.tryRetry(1_000)).toBe(true);
    expect(budget.tryRetry(1e9)).toBe(true);
    expect(retriesGranted(budget, 1e9, 1_000)).toBe(99);
  });

  it('property: never grants more in any ten seconds than the larger of floor and share', () => {
    const event = fc.record({
      gapMs: fc.integer({ min: 0, max: 400 }),
      requests: fc.integer({ min: 0, max: 40 }),
      retries: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
        const history: { second: number; requests: number; granted: number }[] = [];
        let nowMs = 0;
        for (const { gapMs, requests, retries } of events) {
          nowMs += gapMs;
          for (let i = 0; i < requests; i += 1) budget.countRequest(nowMs);
          const second = Math.floor(nowMs / 1000);
          history.push({ second, requests, granted: retriesGranted(budget, nowMs, retries) });
          const recent = history.filter((entry) => entry.second > second - 10);
          if (history.at(-1)?.granted === 0) continue;
          const allowed = Math.max(100, Math.ceil(0.2 * sumOf(recent, 'requests')));
          expect(sumOf(recent, 'granted')).toBeLessThanOrEqual(allowed);
        }
      }),
    );
  });
});
