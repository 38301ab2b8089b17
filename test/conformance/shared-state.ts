/**
 * What every shared state promises, whatever carries it: limits and idempotency keys.
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LimitTake } from '../../src/core/policy/limit-table.ts';
import { quotaWindow } from '../../src/core/policy/quota.ts';
import type { SharedState } from '../../src/ports/shared-state.ts';
import { eventually } from '../support/eventually.ts';

export interface OpenedSharedState {
  readonly shared: SharedState;
  close(): Promise<void>;
}

/** Slow, so that a slow machine does not refill it. */
const HOUR_US = 3_600_000_000;

function rate(subject: string, burst: number, change: Partial<LimitTake & { kind: 'rate' }> = {}): LimitTake {
  return { kind: 'rate', limit: 'orders', subject, intervalUs: HOUR_US, burst, ...change };
}

function quota(subject: string, max: number): LimitTake {
  return { kind: 'quota', limit: 'monthly', subject, max, ...quotaWindow('month', Date.now()) };
}

export function describeSharedState(name: string, open: () => Promise<OpenedSharedState>): void {
  describe(`${name}: shared state`, () => {
    let opened: OpenedSharedState;
    let shared: SharedState;

    beforeEach(async () => {
      opened = await open();
      shared = opened.shared;
    });
    afterEach(() => opened.close());

    const allowed = async (...takes: LimitTake[]): Promise<boolean[]> =>
      (await shared.takeLimits(takes)).map((answer) => answer.allowed);

    it('allows a burst and says what is left of it and when it is whole again', async () => {
      const [first] = await shared.takeLimits([rate('a', 2)]);
      expect(first).toMatchObject({ allowed: true, remaining: 1, retryAfterMs: 0 });
      expect(first?.resetMs).toBeGreaterThan(3_590_000);
      expect(first?.resetMs).toBeLessThanOrEqual(3_600_000);
      expect(await allowed(rate('a', 2))).toEqual([true]);
      const [third] = await shared.takeLimits([rate('a', 2)]);
      expect(third).toMatchObject({ allowed: false, remaining: 0 });
      expect(third?.retryAfterMs).toBeGreaterThan(3_590_000);
      expect(third?.retryAfterMs).toBeLessThanOrEqual(3_600_000);
    });

    it('counts limits and subjects apart', async () => {
      expect(await allowed(rate('a', 1))).toEqual([true]);
      expect(await allowed(rate('b', 1))).toEqual([true]);
      expect(await allowed(rate('a', 1, { limit: 'other' }))).toEqual([true]);
      expect(await allowed(rate('a', 1))).toEqual([false]);
    });

    it('lets requests pass again at the rate', async () => {
      const fast = rate('a', 1, { intervalUs: 30_000 });
      expect(await allowed(fast)).toEqual([true]);
      await eventually(async () => (await allowed(fast))[0] === true);
    });

    it('gives out exactly the burst to many that ask at the same time', async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => shared.takeLimits([rate('a', 7)])));
      expect(answers.filter(([answer]) => answer?.allowed)).toHaveLength(7);
    });

    it.each([
      ['of one subject', 'a', 'a'],
      ['of several subjects', 'a', 'b'],
    ])('takes from no limit when another one refuses: limits %s', async (_, first, second) => {
      const both = [rate(first, 3, { limit: 'wide' }), rate(second, 1, { limit: 'narrow' })];
      expect(await allowed(...both)).toEqual([true, true]);
      for (let i = 0; i < 5; i += 1) expect(await allowed(...both)).toEqual([true, false]);
      const [wide] = await shared.takeLimits([rate(first, 3, { limit: 'wide' })]);
      expect(wide).toMatchObject({ allowed: true, remaining: 1 });
    });

    it('counts a quota within its window, beside rates', async () => {
      expect(await allowed(quota('a', 2), rate('a', 10))).toEqual([true, true]);
      const [left] = await shared.takeLimits([quota('a', 2)]);
      expect(left).toMatchObject({ allowed: true, remaining: 0, retryAfterMs: 0 });
      const [spent] = await shared.takeLimits([quota('a', 2)]);
      expect(spent?.allowed).toBe(false);
      expect(spent?.retryAfterMs).toBe(spent?.resetMs);
      expect(spent?.resetMs).toBeGreaterThan(0);
      const next = {
        ...quota('a', 2),
        startMs: Date.now() + 40 * 86_400_000,
        endMs: Date.now() + 80 * 86_400_000,
      };
      expect(await allowed(next)).toEqual([true]);
    });

    it('takes subjects of any length and letter', async () => {
      const odd = `{x}\n${'ü '.repeat(2000)}`;
      expect(await allowed(rate(odd, 1))).toEqual([true]);
      expect(await allowed(rate(odd, 1))).toEqual([false]);
      expect(await allowed(rate(`${odd}!`, 1))).toEqual([true]);
    });

    it('gives an idempotency key to exactly one of many', async () => {
      const claims = await Promise.all(
        Array.from({ length: 20 }, () => shared.beginIdempotent('k', 'f', 60_000)),
      );
      expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1);
      expect(claims.filter(({ kind }) => kind === 'in-flight')).toHaveLength(19);
    });

    async function claim(key: string, claimMs = 60_000): Promise<string> {
      const claimed = await shared.beginIdempotent(key, 'f', claimMs);
      if (claimed.kind !== 'claimed') expect.fail(`${key} is ${claimed.kind}`);
      return claimed.token;
    }

    it('keeps an answer and gives it to the same request only', async () => {
      const token = await claim('k');
      expect(await shared.beginIdempotent('k', 'g', 60_000)).toEqual({ kind: 'other-request' });
      const answer = JSON.stringify({ text: 'ja, natürlich', bytes: 'A'.repeat(5000) });
      await shared.completeIdempotent('k', token, answer, 60_000);
      expect(await shared.beginIdempotent('k', 'f', 60_000)).toEqual({ kind: 'answered', answer });
      expect(await shared.beginIdempotent('k', 'g', 60_000)).toEqual({ kind: 'other-request' });
      expect((await shared.beginIdempotent('other', 'f', 60_000)).kind).toBe('claimed');
    });

    it('gives an abandoned key free', async () => {
      await shared.abandonIdempotent('k', await claim('k'));
      await claim('k');
    });

    it('ends a claim of one who died, and a later one of his changes nothing', async () => {
      const late = await claim('k', 30);
      let token = '';
      await eventually(async () => {
        const again = await shared.beginIdempotent('k', 'f', 60_000);
        if (again.kind === 'claimed') token = again.token;
        return again.kind === 'claimed';
      });
      await shared.completeIdempotent('k', late, 'late', 60_000);
      await shared.abandonIdempotent('k', late);
      expect(await shared.beginIdempotent('k', 'f', 60_000)).toEqual({ kind: 'in-flight' });
      await shared.completeIdempotent('k', token, 'right', 60_000);
      await shared.abandonIdempotent('k', token);
      expect(await shared.beginIdempotent('k', 'f', 60_000)).toEqual({ kind: 'answered', answer: 'right' });
    });

    it('forgets an answer after its time', async () => {
      await shared.completeIdempotent('k', await claim('k'), 'answer', 30);
      await eventually(async () => (await shared.beginIdempotent('k', 'f', 60_000)).kind === 'claimed');
    });
  });
}
