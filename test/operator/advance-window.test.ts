/**
 * When a plan's schedule lets steps advance: cron minutes in a time zone, and freezes.
 * @module
 */

import { describe, expect, it } from 'vitest';
import type { Schedule } from '../../src/core/domain/plan.ts';
import { closedBecause } from '../../src/operator/advance-window.ts';

const at = (iso: string): number => Date.parse(iso);

const office = (timezone: string): Schedule => ({ advance: '* 9-17 * * 1-5', timezone, freeze: [] });

describe('closedBecause', () => {
  it('is never closed without a schedule', () => {
    expect(closedBecause(null, at('2026-06-06T03:00:00Z'))).toBeNull();
  });

  it.each([
    // 2026-06-03 is a Wednesday, 2026-06-06 a Saturday.
    ['UTC', '2026-06-03T09:00:00Z', true],
    ['UTC', '2026-06-03T08:59:59.999Z', false],
    ['UTC', '2026-06-03T17:59:59.999Z', true],
    ['UTC', '2026-06-03T18:00:00Z', false],
    ['UTC', '2026-06-06T12:00:00Z', false],
    ['Europe/Berlin', '2026-06-03T07:00:00Z', true],
    ['Europe/Berlin', '2026-06-03T06:59:00Z', false],
    ['Europe/Berlin', '2026-06-03T16:00:00Z', false],
    // In winter the same wall clock is an hour later in UTC.
    ['Europe/Berlin', '2026-12-02T07:30:00Z', false],
    ['Europe/Berlin', '2026-12-02T08:30:00Z', true],
    // Friday evening in New York, Saturday morning in Auckland.
    ['America/New_York', '2026-06-05T21:30:00Z', true],
    ['Pacific/Auckland', '2026-06-05T21:30:00Z', false],
  ])('in %s at %s is open: %s', (timezone, instant, open) => {
    expect(closedBecause(office(timezone), at(instant)) === null).toBe(open);
  });

  it('is closed in a freeze whatever the hour, up to its end and not beyond', () => {
    const frozen: Schedule = {
      advance: null,
      timezone: 'UTC',
      freeze: [{ fromMs: at('2026-12-20T00:00:00Z'), toMs: at('2027-01-05T00:00:00Z') }],
    };
    expect(closedBecause(frozen, at('2026-12-19T23:59:59.999Z'))).toBeNull();
    expect(closedBecause(frozen, at('2026-12-20T00:00:00Z'))).toBe('frozen until 2027-01-05T00:00:00.000Z');
    expect(closedBecause(frozen, at('2027-01-04T23:59:59.999Z'))).not.toBeNull();
    expect(closedBecause(frozen, at('2027-01-05T00:00:00Z'))).toBeNull();
  });
});
