/**
 * Tells what became of a body: to the counters of its route, to the access log and to traces. Knows no bodies.
 * @module
 */

import type { BodyChange, BodyDirection, BodyOutcome } from '../body-metrics.ts';
import type { Exchange } from '../exchange.ts';
import type { BodyTrouble, UnreadableBody } from './unreadable-body.ts';

const REFUSED: Readonly<Record<BodyTrouble, BodyOutcome>> = {
  malformed: 'malformed',
  'too-large': 'too_large',
  unsupported: 'unsupported',
};

export function noteChanged(exchange: Exchange, direction: BodyDirection, change: BodyChange | null): void {
  if (change !== null) note(exchange, direction, change, change);
}

/** It goes on as it came. */
export function notePassed(exchange: Exchange, direction: BodyDirection, { message }: UnreadableBody): void {
  note(exchange, direction, 'passed', `passed: ${message}`);
}

/** It is refused, or cut off in the middle. */
export function noteRefused(exchange: Exchange, direction: BodyDirection, why: UnreadableBody): void {
  note(exchange, direction, REFUSED[why.trouble], why.message);
}

function note(exchange: Exchange, direction: BodyDirection, outcome: BodyOutcome, value: string): void {
  const transform = exchange.route?.transform;
  const compiled = direction === 'request' ? transform?.requestBody : transform?.responseBody;
  if (compiled != null) compiled.counts[outcome] += 1;
  exchange.note(`${direction}_body`, value);
}
