/**
 * Which resources an unsafe request made outdated (RFC 9111 §4.4): its target, and what Location and
 * Content-Location name, if they are of the same origin.
 * @module
 */

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether requests of that method change nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return SAFE.has(method);
}

/** Whether a final status of that method outdates stored responses. */
export function invalidates(method: string, status: number): boolean {
  return status >= 200 && status < 400 && !isSafe(method);
}

export interface ResourceName {
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
}

/**
 * Path and query that a Location or Content-Location points to; null when it is of another origin or no reference.
 * `authority` and `path` are the target's own.
 */
export function sameOriginTarget(reference: string, authority: string, path: string): ResourceName | null {
  let rest = reference.trim();
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(rest);
  if (absolute !== null) {
    if ((absolute[1] ?? '').toLowerCase() !== authority.toLowerCase()) return null;
    rest = absolute[2] === '' ? '/' : (absolute[2] as string);
  } else if (/^[a-z][a-z\d+.-]*:/i.test(rest) || rest.startsWith('//')) {
    return null;
  }
  const hash = rest.indexOf('#');
  if (hash >= 0) rest = rest.slice(0, hash);
  const mark = rest.indexOf('?');
  const named = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? '' : rest.slice(mark);
  if (named === '') return { path, query };
  const joined = named.startsWith('/') ? named : path.slice(0, path.lastIndexOf('/') + 1) + named;
  return { path: withoutDots(joined), query };
}

/** RFC 3986 §5.2.4. */
function withoutDots(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment === '.' || segment === '..') {
      if (last) kept.push('');
    } else kept.push(segment);
  }
  return `/${kept.join('/')}`;
}
