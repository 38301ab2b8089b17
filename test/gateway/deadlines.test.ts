import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Alarm } from '../../src/gateway/alarm.ts';
import { DeadlineWheel } from '../../src/gateway/deadlines.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

function wheelAt(): { wheel: DeadlineWheel; nowMs: () => number } {
  const nowMs = (): number => performance.now();
  return { wheel: new DeadlineWheel(nowMs), nowMs };
}

describe('DeadlineWheel', () => {
  it('fires once, never early and at most two ticks late, from milliseconds to minutes', () => {
    for (const afterMs of [1, 9, 10, 11, 999, 5_120, 5_121, 12_345, 120_000]) {
      const { wheel, nowMs } = wheelAt();
      vi.advanceTimersByTime(3);
      const dueMs = nowMs() + afterMs;
      const fired: number[] = [];
      wheel.arm(new Alarm((atMs) => fired.push(atMs)), dueMs);
      vi.advanceTimersByTime(afterMs + 20);
      expect(fired).toHaveLength(1);
      expect(fired[0]).toBeGreaterThanOrEqual(dueMs);
      vi.advanceTimersByTime(20_000);
      expect(fired).toHaveLength(1);
      wheel.close();
    }
  });

  it('does not fire what was disarmed, also by another one of the same slot', () => {
    const { wheel, nowMs } = wheelAt();
    const fired: string[] = [];
    const second = new Alarm(() => fired.push('second'));
    const first = new Alarm(() => {
      fired.push('first');
      wheel.disarm(second);
    });
    wheel.arm(second, nowMs() + 50);
    wheel.arm(first, nowMs() + 50);
    vi.advanceTimersByTime(200);
    expect(fired).toEqual(['first']);
    wheel.disarm(first);
    wheel.close();
  });

  it('can be armed again from its own call, and moved', () => {
    const { wheel, nowMs } = wheelAt();
    const fired: number[] = [];
    const alarm = new Alarm((atMs) => {
      fired.push(atMs);
      if (fired.length < 3) wheel.arm(alarm, atMs + 100);
    });
    wheel.arm(alarm, nowMs() + 10);
    wheel.arm(alarm, nowMs() + 500);
    vi.advanceTimersByTime(400);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(fired).toHaveLength(3);
    wheel.close();
  });

  it('fires everything that came due while the process stood still', () => {
    let nowMs = 0;
    const wheel = new DeadlineWheel(() => nowMs);
    let fired = 0;
    for (let i = 1; i <= 300; i += 1) wheel.arm(new Alarm(() => (fired += 1)), i * 100);
    nowMs = 40_000;
    vi.advanceTimersByTime(10);
    expect(fired).toBe(300);
    wheel.close();
  });

  it('stops ticking when there is nothing to wait for, and starts again', () => {
    const { wheel, nowMs } = wheelAt();
    wheel.arm(new Alarm(() => {}), nowMs() + 10);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(3_000);
    expect(vi.getTimerCount()).toBe(0);
    let fired = false;
    wheel.arm(
      new Alarm(() => {
        fired = true;
      }),
      nowMs() + 10,
    );
    vi.advanceTimersByTime(30);
    expect(fired).toBe(true);
    wheel.close();
  });
});
