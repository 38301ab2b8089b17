/**
 * What policies did to a request, as name and value: for the access log and for traces. Knows exchanges; nothing of
 * where it is written.
 * @module
 */

import type { Exchange } from './exchange.ts';

export const REDACTED = '[redacted]';

export type Outcome = readonly [name: string, value: string];

/** In a fixed order, then as noted. Names are lower-case words. */
export function policyOutcomes(exchange: Exchange, redacted: ReadonlySet<string>): Outcome[] {
  const { cacheRun, limited, keyOutcome, outcomes } = exchange;
  const found: Outcome[] = [];
  const breaker = breakerOutcome(exchange);
  if (breaker !== '') found.push(['breaker', breaker]);
  if (cacheRun !== null) found.push(['cache', cacheRun.outcome]);
  if (limited !== '') found.push(['limit', limited]);
  if (keyOutcome !== '') found.push(['idempotency', keyOutcome]);
  for (let i = 0; outcomes !== null && i + 1 < outcomes.length; i += 2) {
    const name = outcomes[i] ?? '';
    found.push([name, redacted.has(name) ? REDACTED : (outcomes[i + 1] ?? '')]);
  }
  return found;
}

/** Only on routes with a breaker: `refused`, or its state. */
function breakerOutcome({ route, version, attempt, standIn, errorCode }: Exchange): string {
  const breakers = version === null ? undefined : route?.breakers?.get(version);
  if (breakers === undefined) return '';
  if (errorCode === 'BREAKER_OPEN') return 'refused';
  return attempt === null || standIn !== null ? '' : breakers.of(attempt.target).state;
}
