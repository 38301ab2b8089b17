/**
 * Quotas: how many requests a key may make in a calendar hour, day or month of UTC.
 * Knows no keys and no clock.
 * @module
 */

export type QuotaPeriod = 'hour' | 'day' | 'month';

/** Epoch milliseconds; `endMs` is exclusive. */
export interface QuotaWindow {
  readonly startMs: number;
  readonly endMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The calendar window that `nowMs` lies in. */
export function quotaWindow(period: QuotaPeriod, nowMs: number): QuotaWindow {
  if (period === 'month') {
    const now = new Date(nowMs);
    const year = now.getUTCFullYear();
    const month = now.getUTCMonth();
    return { startMs: Date.UTC(year, month, 1), endMs: Date.UTC(year, month + 1, 1) };
  }
  const lengthMs = period === 'hour' ? HOUR_MS : DAY_MS;
  const startMs = Math.floor(nowMs / lengthMs) * lengthMs;
  return { startMs, endMs: startMs + lengthMs };
}
