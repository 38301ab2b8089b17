/**
 * One transition on one line, for `watch`, `events` and waiting. Knows no table and no terminal.
 * @module
 */

import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import { describeMove } from '../../core/domain/share.ts';
import type { Style } from './style.ts';
import { printable } from './text.ts';

/** `paused at step 2 · 5% → 5% · lunch (ana)` without time and name. */
export function describeEvent(event: RolloutEvent, style: Style): string {
  const who = event.actor.kind === 'user' ? ` (${printable(event.actor.name)})` : '';
  const parts = [
    `step ${event.step + 1}`,
    describeMove(event, style.arrow),
    `${printable(event.reason)}${who}`,
  ];
  return `${event.type.padEnd(13)} ${parts.join(style.dot)}`;
}

/** With its time in UTC, to the second, for logs that are kept. */
export function stampedEvent(event: RolloutEvent, style: Style): string {
  const time = new Date(event.atMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return `${time}  ${event.rollout}  ${describeEvent(event, style)}`;
}
