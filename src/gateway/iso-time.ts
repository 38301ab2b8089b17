/**
 * Epoch milliseconds as ISO 8601 text, with the part down to the second remembered: log lines come in bursts.
 * @module
 */

let second = -1;
let prefix = '';

/** `2026-01-31T09:15:00.042Z`. */
export function isoTime(epochMs: number): string {
  const whole = Math.floor(epochMs);
  const current = Math.floor(whole / 1000);
  if (current !== second) {
    second = current;
    prefix = new Date(current * 1000).toISOString().slice(0, 20);
  }
  const ms = whole - current * 1000;
  return `${prefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}
