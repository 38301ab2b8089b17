/**
 * Which stored responses a purge is of: by URL, by path prefix, by tag. Compiles a purge once; keeps nothing.
 * @module
 */

import type { Purge } from '../../core/policy/cache/purge.ts';
import { parseTarget } from '../../core/policy/request-target.ts';

export interface PurgeSubject {
  /** Service, then origin, path and query on a line of its own. */
  readonly resource: string;
  readonly tags: readonly string[];
  /** A query in the form in which `resource` has it. */
  readonly queryKey: (query: string) => string;
}

export type PurgeMatcher = (subject: PurgeSubject) => boolean;

/** Of a resource: service, origin, path, query. */
const RESOURCE = /^([^\n]*)\n([a-z]*:\/\/[^/]*)([^?]*)(.*)$/s;

export function matcherOf(purge: Purge): PurgeMatcher {
  const { service } = purge;
  const matches = purge.by === 'tag' ? tagMatcher(purge.value) : targetMatcher(purge);
  if (service === null) return matches;
  const start = `${service}\n`;
  return (subject) => subject.resource.startsWith(start) && matches(subject);
}

/** Tags of one response, in lower case: separated by spaces or commas. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.toLowerCase().split(/[\s,]+/))].filter((tag) => tag !== '');
}

function tagMatcher(value: string): PurgeMatcher {
  const tag = value.toLowerCase();
  return ({ tags }) => tags.includes(tag);
}

function targetMatcher({ by, value }: Purge): PurgeMatcher {
  const target = parseTarget(value);
  // No request with such a target is accepted, so nothing of it can be stored.
  if (target === undefined) return () => false;
  const { authority, path, query } = target;
  const scheme = value.slice(0, value.indexOf(':'));
  const origin = authority === null ? null : plainOrigin(`${scheme}://${authority}`.toLowerCase());
  const below = path.endsWith('/') ? path : `${path}/`;
  const isBelow = (candidate: string): boolean => candidate === path || candidate.startsWith(below);
  return ({ resource, queryKey }) => {
    const parts = RESOURCE.exec(resource);
    if (parts === null) return false;
    const [, , itsOrigin = '', itsPath = '', itsQuery = ''] = parts;
    if (origin !== null && plainOrigin(itsOrigin) !== origin) return false;
    return by === 'prefix' ? isBelow(itsPath) : itsPath === path && itsQuery === queryKey(query);
  };
}

/** Without the port that the scheme implies. */
function plainOrigin(origin: string): string {
  if (origin.startsWith('http:') && origin.endsWith(':80')) return origin.slice(0, -3);
  return origin.startsWith('https:') && origin.endsWith(':443') ? origin.slice(0, -4) : origin;
}
