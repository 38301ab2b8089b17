/**
 * Cache-Control (RFC 9111 §5.2) of requests and responses, and its targeted form (RFC 9213), parsed to plain
 * fields. What is malformed counts as its most cautious reading; unknown directives are skipped.
 * @module
 */

/** RFC 9111 §1.2.2: an age or lifetime that overflows is this many seconds. */
const MAX_DELTA_S = 2_147_483_648;

export interface ResponseDirectives {
  readonly noStore: boolean;
  /** Unqualified. */
  readonly noCache: boolean;
  /** Unqualified. */
  readonly isPrivate: boolean;
  /** Names in lower case that `no-cache="…"` and `private="…"` list: they must not be in a reused response. */
  readonly withheldFields: readonly string[];
  readonly isPublic: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  /** Seconds; null when absent, 0 when malformed. */
  readonly maxAgeS: number | null;
  readonly sharedMaxAgeS: number | null;
  readonly staleWhileRevalidateS: number | null;
  readonly staleIfErrorS: number | null;
}

export interface RequestDirectives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  readonly maxAgeS: number | null;
  readonly minFreshS: number | null;
  /** Infinite without an argument: any staleness will do. */
  readonly maxStaleS: number | null;
}

/** Value of a directive; true when it has none, null when it is malformed. */
type Argument = string | true | null;

const NO_DIRECTIVES: ReadonlyMap<string, Argument> = new Map();

/** The values of all Cache-Control lines, joined by commas. */
export function parseResponseDirectives(text: string): ResponseDirectives {
  return responseDirectives(text === '' ? NO_DIRECTIVES : directives(text));
}

export function parseRequestDirectives(text: string): RequestDirectives {
  const found = text === '' ? NO_DIRECTIVES : directives(text);
  const maxStale = found.get('max-stale');
  return {
    noStore: found.has('no-store'),
    noCache: found.has('no-cache'),
    onlyIfCached: found.has('only-if-cached'),
    maxAgeS: deltaSeconds(found.get('max-age')),
    minFreshS: deltaSeconds(found.get('min-fresh')),
    maxStaleS: maxStale === true ? Number.POSITIVE_INFINITY : deltaSeconds(maxStale),
  };
}

/** A targeted field such as CDN-Cache-Control; null when it is empty or no structured dictionary: then ignore it. */
export function parseTargetedDirectives(text: string): ResponseDirectives | null {
  const found = structuredDictionary(text);
  return found === null || found.size === 0 ? null : responseDirectives(found);
}

function responseDirectives(found: ReadonlyMap<string, Argument>): ResponseDirectives {
  const noCacheFields = fieldNames(found.get('no-cache'));
  const privateFields = fieldNames(found.get('private'));
  return {
    noStore: found.has('no-store'),
    noCache: found.has('no-cache') && noCacheFields === null,
    isPrivate: found.has('private') && privateFields === null,
    withheldFields: [...(noCacheFields ?? []), ...(privateFields ?? [])],
    isPublic: found.has('public'),
    mustRevalidate: found.has('must-revalidate'),
    proxyRevalidate: found.has('proxy-revalidate'),
    mustUnderstand: found.has('must-understand'),
    maxAgeS: deltaSeconds(found.get('max-age')),
    sharedMaxAgeS: deltaSeconds(found.get('s-maxage')),
    staleWhileRevalidateS: deltaSeconds(found.get('stale-while-revalidate')),
    staleIfErrorS: deltaSeconds(found.get('stale-if-error')),
  };
}

/** Null when absent; 0 when it is not a number of seconds, which is the cautious reading of all of them. */
function deltaSeconds(argument: Argument | undefined): number | null {
  if (argument === undefined) return null;
  if (typeof argument !== 'string' || !/^\d+$/.test(argument)) return 0;
  return Math.min(Number(argument), MAX_DELTA_S);
}

/** Names listed by a qualified directive; null when it is unqualified, or so broken that it must count as that. */
function fieldNames(argument: Argument | undefined): string[] | null {
  if (typeof argument !== 'string') return null;
  const names = argument
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  return names.length > 0 && names.every((name) => TOKEN.test(name)) ? names : null;
}

const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/;
/** `name`, `name=token` or `name="quoted"`, then whatever is left up to the next comma (which makes it malformed). */
const DIRECTIVE =
  /[\s,]*([!#$%&'*+.^_`|~\dA-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\dA-Za-z-]+)))?([^,]*)/y;

/** The first of each name wins (RFC 9111 §4.2.1), except that a bare `private` or `no-cache` beats a qualified one. */
function directives(text: string): Map<string, Argument> {
  const found = new Map<string, Argument>();
  let at = 0;
  while (at < text.length) {
    DIRECTIVE.lastIndex = at;
    const match = DIRECTIVE.exec(text);
    if (match === null) {
      // No name here: skip to the next comma.
      const comma = text.indexOf(',', at + 1);
      at = comma < 0 ? text.length : comma;
      continue;
    }
    at = DIRECTIVE.lastIndex;
    const name = (match[1] ?? '').toLowerCase();
    const argument: Argument =
      (match[4] ?? '').trim() !== '' ? null : (match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? true);
    const before = found.get(name);
    if (before === undefined) found.set(name, argument);
    else if (typeof before === 'string' && (name === 'private' || name === 'no-cache')) {
      found.set(name, typeof argument === 'string' ? `${before},${argument}` : argument);
    }
  }
  return found;
}

/** RFC 9651 dictionary, as far as cache directives need its values; the last of each key wins. Null: malformed. */
function structuredDictionary(text: string): Map<string, Argument> | null {
  const found = new Map<string, Argument>();
  let rest = text.trim();
  while (rest !== '') {
    const member = SF_MEMBER.exec(rest);
    if (member === null) return null;
    const [whole, key = '', integer, quoted, token] = member;
    // A string or token where a number belongs is malformed for every directive that takes one.
    found.set(key, integer ?? quoted?.replace(/\\(.)/g, '$1') ?? (token === undefined ? true : null));
    if (quoted !== undefined && key !== 'private' && key !== 'no-cache') found.set(key, null);
    rest = rest.slice(whole.length);
    if (rest === '') break;
    const comma = /^[ \t]*,[ \t]*/.exec(rest);
    if (comma === null) return null;
    rest = rest.slice(comma[0].length);
    if (rest === '') return null;
  }
  return found;
}

const SF_BARE = String.raw`-?\d{1,15}(?:\.\d{1,3})?|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|[A-Za-z*][\w!#$%&'*+.^|~:/\x60-]*|\?[01]`;
const SF_MEMBER = new RegExp(
  String.raw`^([a-z*][a-z\d_.*-]*)(?:=(?:(\d{1,15})(?![\d.])|"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"|(\?1(?!.)|${SF_BARE})))?` +
    String.raw`(?:;[ ]*[a-z*][a-z\d_.*-]*(?:=(?:${SF_BARE}))?)*`,
);
