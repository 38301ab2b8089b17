/**
 * Two attempts of one request side by side: which of them counts for the client. Knows neither why there are two nor
 * what an answer is worth.
 * @module
 */

import type { Exchange } from './exchange.ts';
import type { RunningAttempt } from './running.ts';

/** The other one of two parallel attempts may still bring a better answer. */
export function leaveToRival(exchange: Exchange, current: RunningAttempt): boolean {
  const other = exchange.attempt === current ? exchange.rival : exchange.attempt;
  if (exchange.rival === null || other === null || other.phase === 'over') return false;
  exchange.attempt = other;
  exchange.rival = null;
  return true;
}

/** `current` is the one that counts for the client; a parallel one is called off. */
export function dropRival(exchange: Exchange, current: RunningAttempt): void {
  if (exchange.rival === null) return;
  const other = exchange.attempt === current ? exchange.rival : exchange.attempt;
  exchange.rival = null;
  exchange.attempt = current;
  if (other !== current) other?.abandon();
}
