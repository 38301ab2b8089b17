/**
 * Whose requests are counted together: the key of a limit, compiled to one function of the request.
 * Knows nothing of counting.
 * @module
 */

import type { LimitKeyPart } from '../config/policies/limits-schema.ts';
import { addressGroup } from '../core/policy/address-group.ts';
import { claimText, headerText, type StickySubject } from './sticky.ts';

export type SubjectRead = (exchange: StickySubject) => string;

/**
 * The subject of a request: every part with its value. A part that the request lacks is the client's address
 * instead, so that leaving it out helps nobody. Lengths keep values apart, whatever clients put into them.
 */
export function compileLimitKey(parts: readonly LimitKeyPart[], route: string): SubjectRead {
  const reads = parts.map((part) => compilePart(part, route));
  const [only] = reads;
  if (reads.length === 1 && only !== undefined) return only;
  return (exchange) => {
    let subject = '';
    for (const read of reads) {
      const value = read(exchange);
      subject += `${value.length}:${value},`;
    }
    return subject;
  };
}

function compilePart(part: LimitKeyPart, route: string): SubjectRead {
  if (part === 'ip') return addressOf;
  if (part === 'route') return () => `route ${route}`;
  if ('claim' in part) {
    const { claim } = part;
    return (exchange) => {
      const value = claimText(exchange, claim);
      return value === undefined ? addressOf(exchange) : `claim ${claim} ${value}`;
    };
  }
  const { header } = part;
  return (exchange) => {
    const value = headerText(exchange, header);
    return value === undefined ? addressOf(exchange) : `header ${header} ${value}`;
  };
}

function addressOf({ clientIp }: StickySubject): string {
  return `ip ${addressGroup(clientIp)}`;
}
