/**
 * Where an exchange meets the adaptive limit of its version: before its first attempt, and in the count of each.
 * Starts nothing itself; knows no responses.
 * @module
 */

import type { Turn } from './adaptive.ts';
import { type AttemptPass, BothPasses } from './attempt-pass.ts';
import type { Exchange } from './exchange.ts';
import type { ServiceVersion } from './snapshot.ts';

/** True: go on. False: one of the calls of `turn` follows. What is tried again has had its turn. */
export function hasTurn(exchange: Exchange, version: ServiceVersion, nowMs: number, turn: Turn): boolean {
  const adaptive = exchange.route?.adaptive ?? null;
  if (adaptive === null || exchange.standIn !== null || exchange.attempts > 0) return true;
  // Nobody waits for what the cache renews in the background.
  const priority = exchange.cacheRun?.background === true ? 'low' : adaptive.priorityOf(exchange);
  return adaptive.limiters.get(version)?.enter(exchange, priority, adaptive.waitMs, nowMs, turn) ?? true;
}

/** Counts every attempt at a version in, except those whose pace is the client's, which still sends. */
export function takePlace(
  exchange: Exchange,
  version: ServiceVersion,
  pass: AttemptPass | null,
  nowMs: number,
): AttemptPass | null {
  const { route, body, wholeBody } = exchange;
  const adaptive = route?.adaptive ?? null;
  if (adaptive === null || (body !== null && wholeBody === null)) return pass;
  const place = adaptive.limiters.get(version)?.begin(nowMs) ?? null;
  return pass === null || place === null ? (pass ?? place) : new BothPasses(pass, place);
}
