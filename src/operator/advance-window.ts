/**
 * Whether a plan's schedule and freeze windows allow advancing at an instant. Aborting never asks.
 * @module
 */

import { createTask } from 'node-cron';
import type { Schedule } from '../core/domain/plan.ts';

/** Why advancing is not allowed now, or null when it is. */
export function closedBecause(schedule: Schedule | null, nowMs: number): string | null {
  if (!schedule) return null;
  const frozen = schedule.freeze.find((window) => nowMs >= window.fromMs && nowMs < window.toMs);
  if (frozen) return `frozen until ${new Date(frozen.toMs).toISOString()}`;
  if (schedule.advance === null || matchesMinute(schedule.advance, schedule.timezone, nowMs)) return null;
  return `the schedule "${schedule.advance}" (${schedule.timezone}) does not allow advancing now`;
}

/** Cron expressions have minutes: the second of the instant is cut off. */
function matchesMinute(expression: string, timezone: string, nowMs: number): boolean {
  const task = createTask(expression, () => undefined, { timezone });
  try {
    return task.match(new Date(Math.floor(nowMs / 60_000) * 60_000));
  } finally {
    void task.destroy();
  }
}
