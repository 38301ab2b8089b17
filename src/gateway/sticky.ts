/**
 * Where the sticky key of a request comes from: the sources of a service, compiled to readers in order.
 * Knows not what the key is used for.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { StickySource } from '../config/gateway-schema.ts';
import { randomBase64Url22 } from './random-ids.ts';

/** What a sticky key is read from; every exchange is one. */
export interface StickySubject {
  readonly request: { readonly headers: IncomingHttpHeaders };
  /** Of the validated token; null without one. */
  readonly claims: Readonly<Record<string, unknown>> | null;
  readonly clientIp: string;
  /** The client came over https. */
  readonly secure: boolean;
  /** Value of a Set-Cookie field that goes with the response, or null. */
  setCookie: string | null;
}

export interface StickyRead {
  /** Name in the access log: `claim:sub`, `header:x-user-id`, `cookie:sluice_id`, `ip`. */
  readonly source: string;
  /** The key, or undefined when this source has none. May ask for a cookie to be set. */
  readonly read: (exchange: StickySubject) => string | undefined;
}

/** As this gateway issues it: 128 random bits. Anything else is somebody else's and is replaced. */
const COOKIE_VALUE = /^[\w-]{22}$/;
const YEAR_S = 31_536_000;
/** Longer keys come from mistakes or attacks; they would only cost time. */
const MAX_KEY_LENGTH = 1_024;

const IP: StickyRead = { source: 'ip', read: (exchange) => exchange.clientIp };

/**
 * Compiles the sources. The client's address is the last resort in any case: without a key a user would change
 * versions with every request. `issues`: who has no cookie gets one.
 */
export function compileStickySources(
  sources: readonly StickySource[],
  issues: boolean,
): readonly StickyRead[] {
  return [...sources.map((source) => compile(source, issues)), IP];
}

function compile(source: StickySource, issues: boolean): StickyRead {
  if (source === 'ip') return IP;
  if ('claim' in source) {
    return { source: `claim:${source.claim}`, read: (exchange) => claimText(exchange, source.claim) };
  }
  if ('header' in source) {
    return { source: `header:${source.header}`, read: (exchange) => headerText(exchange, source.header) };
  }
  const { cookie } = source;
  const read = issues ? readOrIssue : readIssued;
  return { source: `cookie:${cookie}`, read: (exchange) => read(exchange, cookie) };
}

/** A claim that is text or a number; others do not identify anybody. */
export function claimText(exchange: StickySubject, claim: string): string | undefined {
  const { claims } = exchange;
  if (claims === null || !Object.hasOwn(claims, claim)) return undefined;
  const value = claims[claim];
  return typeof value === 'string' || typeof value === 'number' ? bounded(String(value)) : undefined;
}

/** A request field (name in lower case). */
export function headerText(exchange: StickySubject, name: string): string | undefined {
  const { headers } = exchange.request;
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === 'string' ? bounded(value) : undefined;
}

function bounded(value: string): string | undefined {
  return value !== '' && value.length <= MAX_KEY_LENGTH ? value : undefined;
}

function readIssued({ request }: StickySubject, name: string): string | undefined {
  const sent = cookieValue(request.headers.cookie, name);
  return sent !== undefined && COOKIE_VALUE.test(sent) ? sent : undefined;
}

function readOrIssue(exchange: StickySubject, name: string): string {
  const sent = readIssued(exchange, name);
  if (sent !== undefined) return sent;
  const issued = randomBase64Url22();
  exchange.setCookie = `${name}=${issued}; Path=/; Max-Age=${YEAR_S}; HttpOnly; SameSite=Lax${exchange.secure ? '; Secure' : ''}`;
  return issued;
}

/** First cookie of that name (RFC 6265 §4.2), without quotes. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let start = 0;
  while (start < header.length) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon < 0 ? header.length : semicolon;
    while (start < end && header.charCodeAt(start) === 0x20) start += 1;
    if (header.startsWith(name, start) && header.charCodeAt(start + name.length) === 0x3d) {
      return header
        .slice(start + name.length + 1, end)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
    start = end + 1;
  }
  return undefined;
}
