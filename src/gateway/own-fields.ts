/**
 * What the gateway says of itself with every response, anew each time, and so never keeps with a stored one: its request id,
 * its cookie, what listeners and policies add. Knows the exchange only.
 * @module
 */

import type { Exchange } from './exchange.ts';

/** Name, value, name, value …; the same ones for as long as the exchange stands at the same stage. */
export function ownFields({ requestId, setCookie, addedFields }: Exchange): string[] {
  const fields = ['X-Request-ID', requestId];
  if (setCookie !== null) fields.push('Set-Cookie', setCookie);
  if (addedFields !== null) fields.push(...addedFields);
  return fields;
}
