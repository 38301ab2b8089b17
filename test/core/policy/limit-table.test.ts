import { describe, expect, it } from 'vitest';
import { addressGroup } from '../../../src/core/policy/address-group.ts';
import { LimitTable, type LimitTake } from '../../../src/core/policy/limit-table.ts';
import { type QuotaPeriod, quotaWindow } from '../../../src/core/policy/quota.ts';

function rate(subject: string, burst: number, limit = 'fast'): LimitTake {
  return { kind: 'rate', limit, subject, intervalUs: 1_000_000, burst };
}

function quota(subject: string, max: number, startMs = 0, endMs = 3_600_000): LimitTake {
  return { kind: 'quota', limit: 'hourly', subject, max, startMs, endMs };
}

describe('LimitTable', () => {
  it('counts subjects and limits apart', () => {
    const table = new LimitTable(100);
    const allowed = (take: LimitTake) => table.take([take], 0).map((answer) => answer.allowed);
    expect(allowed(rate('a', 1))).toEqual([true]);
    expect(allowed(rate('a', 1))).toEqual([false]);
    expect(allowed(rate('b', 1))).toEqual([true]);
    expect(allowed(rate('a', 1, 'slow'))).toEqual([true]);
  });

  it('takes from no limit when one refuses', () => {
    const table = new LimitTable(100);
    table.take([rate('a', 5), quota('a', 1)], 0);
    const [first, second] = table.take([rate('a', 5), quota('a', 1)], 0);
    expect([first?.allowed, second?.allowed]).toEqual([true, false]);
    expect(second).toMatchObject({ remaining: 0, retryAfterMs: 3_600_000, resetMs: 3_600_000 });
    expect(table.take([rate('a', 5)], 0)[0]?.remaining).toBe(3);
  });

  it('starts a quota anew with its next window', () => {
    const table = new LimitTable(100);
    expect(table.take([quota('a', 1)], 0)[0]?.allowed).toBe(true);
    expect(table.take([quota('a', 1)], 0)[0]?.allowed).toBe(false);
    expect(table.take([quota('a', 1, 3_600_000, 7_200_000)], 3_600_000_000)[0]?.allowed).toBe(true);
  });

  it('never holds more keys than its bound, and forgets the least recently used one', () => {
    const table = new LimitTable(2);
    table.take([rate('a', 1)], 0);
    table.take([rate('b', 2)], 0);
    table.take([rate('b', 2)], 0);
    table.take([rate('c', 1)], 0);
    expect(table.size).toBe(2);
    expect(table.take([rate('b', 2)], 0)[0]?.allowed).toBe(false);
    expect(table.take([rate('a', 1)], 0)[0]?.allowed).toBe(true);
    for (let i = 0; i < 1000; i += 1) table.take([rate(`x${i}`, 1)], 0);
    expect(table.size).toBe(2);
  });
});

describe('quotaWindow', () => {
  it.each<[QuotaPeriod, string, string, string]>([
    ['hour', '2026-03-29T01:59:59.999Z', '2026-03-29T01:00:00Z', '2026-03-29T02:00:00Z'],
    ['hour', '2026-03-29T02:00:00Z', '2026-03-29T02:00:00Z', '2026-03-29T03:00:00Z'],
    ['day', '2024-02-29T12:00:00Z', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['month', '2024-02-29T23:59:59Z', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['month', '2026-12-31T23:59:59Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ])('a %s around %s', (period, now, start, end) => {
    expect(quotaWindow(period, Date.parse(now))).toEqual({
      startMs: Date.parse(start),
      endMs: Date.parse(end),
    });
  });
});

describe('addressGroup', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('%s → %s', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});
