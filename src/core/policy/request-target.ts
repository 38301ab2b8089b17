/**
 * Request targets and authorities in their one accepted form: what is routed is, byte for byte, what is sent on.
 * Pure; knows neither routes nor upstreams.
 * @module
 */

export interface Target {
  /** Starts with `/`; no empty or dot segments; what may stand there unescaped is, but for `;` and `+`. */
  readonly path: string;
  /** With its `?`, or empty. Passed on as it came. */
  readonly query: string;
  /** Authority of an absolute-form target (RFC 9112 §3.2.2), else null. */
  readonly authority: string | null;
}

/** Segments of safe characters that do not start with a dot: most paths, accepted without a second look. */
const PLAIN_PATH = /^(?:\/[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*)+\/?$/;
/** RFC 3986 pchar and `/`, escapes checked apart. */
const PATH_CHARACTERS = /^[\w.~!$&'()*+,;=:@/%-]*$/;
const ESCAPE = /%(.{0,2})/g;
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;
/** RFC 3986 pchar without `;`, which begins a path parameter for some servers, and `+`, which is a space for some. */
const UNESCAPED = /^[\w.~!$&'()*,=:@-]$/;
/** `.` and `..`, also with the path parameters that some servers cut off before they resolve dots. */
const DOT_SEGMENT = /\/\.{1,2}(?:;[^/]*)?(?=\/|$)/;
const QUERY = /^[^\s#\\]*$/;
/** reg-name or IPv4, or an IPv6 literal; optional port (RFC 3986 §3.2.2). User info is refused. */
const AUTHORITY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Parses a request target; undefined when it is refused. `*` and authority-form are refused too. */
export function parseTarget(url: string): Target | undefined {
  if (url.charCodeAt(0) === 0x2f) return originForm(url, null);
  const match = /^https?:\/\/([^/?#]+)(.*)$/is.exec(url);
  if (match === null) return undefined;
  const [, authority = '', rest = ''] = match;
  return originForm(rest.startsWith('/') ? rest : `/${rest}`, authority);
}

/** The one form in which a path of requests is routed; undefined: no request has it. */
export function canonicalPath(path: string): string | undefined {
  return originForm(path, null)?.path;
}

/** Whether a Host value or the authority of a target has the only form that is accepted. */
export function isSoundAuthority(authority: string): boolean {
  return AUTHORITY.test(authority);
}

/** The host of a sound authority as written, without its port; an IPv6 literal keeps its brackets. */
export function hostOf(authority: string): string {
  const end = authority.endsWith(']') ? -1 : authority.lastIndexOf(':');
  return end < 0 ? authority : authority.slice(0, end);
}

/** Host name without port, lower case, without the dot of the DNS root: what routes are matched by. */
export function hostName(authority: string): string {
  const name = hostOf(authority).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/**
 * A path in its one form, as servers read it that cut path parameters (`;` and what follows in a segment) off and make no
 * difference between `%3B` and `;` or `%2B` and `+`. Null: they read it as it is.
 */
export function otherReading(path: string): string | null {
  if (!path.includes(';') && !path.includes('%')) return null;
  const unescaped = path.replaceAll('%3B', ';').replaceAll('%2B', '+');
  const other = unescaped.replace(/;[^/]*/g, '').replace(/\/{2,}/g, '/');
  return other === path ? null : other;
}

function originForm(target: string, authority: string | null): Target | undefined {
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark);
  if (!QUERY.test(query)) return undefined;
  const path = PLAIN_PATH.test(rawPath) || rawPath === '/' ? rawPath : normalisePath(rawPath);
  return path === undefined ? undefined : { path, query, authority };
}

/**
 * Unescapes what need not be escaped once, writes other escapes in upper case and merges slashes. Refuses what
 * servers read in two ways: escaped `/`, `\` and NUL, broken escapes, and dot segments after unescaping.
 */
function normalisePath(rawPath: string): string | undefined {
  if (!PATH_CHARACTERS.test(rawPath)) return undefined;
  let sound = true;
  const unescaped = rawPath.replace(ESCAPE, (escaped, pair: string) => {
    if (!HEX_PAIR.test(pair)) {
      sound = false;
      return escaped;
    }
    const code = Number.parseInt(pair, 16);
    if (code === 0 || code === 0x2f || code === 0x5c) sound = false;
    const character = String.fromCharCode(code);
    return UNESCAPED.test(character) ? character : `%${pair.toUpperCase()}`;
  });
  if (!sound) return undefined;
  const merged = unescaped.replace(/\/{2,}/g, '/');
  return DOT_SEGMENT.test(merged) ? undefined : merged;
}
