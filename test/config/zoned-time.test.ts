import { describe, expect, it } from 'vitest';
import { isTimeZone, parseMoment } from '../../src/config/zoned-time.ts';

describe('parseMoment', () => {
  /** Text, zone, first instant, first excluded instant. */
  const days: readonly (readonly [string, string, string, string])[] = [
    ['2026-12-20', 'UTC', '2026-12-20T00:00:00Z', '2026-12-21T00:00:00Z'],
    ['2026-12-20', 'Europe/Berlin', '2026-12-19T23:00:00Z', '2026-12-20T23:00:00Z'],
    // The clocks go forward at 2:00: a day of 23 hours.
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    // And back at 3:00: a day of 25 hours.
    ['2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    // They skip midnight itself: the day starts at 1:00.
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z'],
    // They go back to before midnight: the day starts once, after the repeated hour.
    ['2018-02-18', 'America/Sao_Paulo', '2018-02-18T03:00:00Z', '2018-02-19T03:00:00Z'],
    ['2026-01-01', 'Pacific/Kiritimati', '2025-12-31T10:00:00Z', '2026-01-01T10:00:00Z'],
    ['2024-02-29', 'Asia/Kathmandu', '2024-02-28T18:15:00Z', '2024-02-29T18:15:00Z'],
  ];
  it.each(days)('takes %s in %s as a whole day', (text, zone, from, to) => {
    expect(parseMoment(text, zone)).toEqual({ fromMs: Date.parse(from), toMs: Date.parse(to) });
  });

  it.each(['2026-12-20T18:00:00Z', '2026-12-20T19:00+01:00', '2026-12-20t18:00:00.000z'])(
    'takes %s as an instant',
    (text) => {
      const ms = Date.UTC(2026, 11, 20, 18);
      expect(parseMoment(text, 'Asia/Tokyo')).toEqual({ fromMs: ms, toMs: ms });
    },
  );

  it.each([
    '',
    '2026',
    '2026-02-30',
    '2026-13-01',
    '2026-1-1',
    '20.12.2026',
    '2026-12-20T25:00Z',
    '2026-12-20T18:00:00',
    '2026-02-30T00:00Z',
  ])('refuses "%s"', (text) => {
    expect(parseMoment(text, 'UTC')).toBeUndefined();
  });
});

describe('isTimeZone', () => {
  it('knows the zones of the platform', () => {
    expect(isTimeZone('Europe/Berlin')).toBe(true);
    expect(isTimeZone('UTC')).toBe(true);
    expect(isTimeZone('Europe/Berln')).toBe(false);
    expect(isTimeZone('')).toBe(false);
  });
});
