/**
 * Which stored responses a purge is of: by URL, by path, by path prefix, by tag. Compiles a purge once, with what an index finds
 * candidates by; keeps nothing.
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

export interface CompiledPurge {
  readonly matches: (subject: PurgeSubject) => boolean;
  /** All that match have this tag; or this path; or a path for which `below` holds. Nothing matches without any. */
  readonly tag: string | null;
  readonly path: string | null;
  readonly below: ((path: string) => boolean) | null;
}

/** Of a resource: service, origin, path, query. */
const RESOURCE = /^([^\n]*)\n([a-z]*:\/\/[^/]*)([^?]*)(.*)$/s;
const OF_NOTHING: CompiledPurge = { matches: () => false, tag: null, path: null, below: null };

export function compilePurge(purge: Purge): CompiledPurge {
  const { service } = purge;
  const compiled = purge.by === 'tag' ? tagPurge(purge.value) : targetPurge(purge);
  if (service === null) return compiled;
  const start = `${service}\n`;
  return {
    ...compiled,
    matches: (subject) => subject.resource.startsWith(start) && compiled.matches(subject),
  };
}

/** The path in the name of a resource. */
export function pathOf(resource: string): string {
  return RESOURCE.exec(resource)?.[3] ?? '';
}

/** Tags of one response, in lower case: separated by spaces or commas. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.toLowerCase().split(/[\s,]+/))].filter((tag) => tag !== '');
}

function tagPurge(value: string): CompiledPurge {
  const tag = value.toLowerCase();
  return { ...OF_NOTHING, tag, matches: ({ tags }) => tags.includes(tag) };
}

function targetPurge({ by, value }: Purge): CompiledPurge {
  const target = parseTarget(value);
  // No request with such a target is accepted, so nothing of it can be stored.
  if (target === undefined) return OF_NOTHING;
  const { authority, path, query } = target;
  const scheme = value.slice(0, value.indexOf(':'));
  const origin = authority === null ? null : plainOrigin(`${scheme}://${authority}`.toLowerCase());
  const start = path.endsWith('/') ? path : `${path}/`;
  const below = (candidate: string): boolean => candidate === path || candidate.startsWith(start);
  const matches = ({ resource, queryKey }: PurgeSubject): boolean => {
    const parts = RESOURCE.exec(resource);
    if (parts === null) return false;
    const [, , itsOrigin = '', itsPath = '', itsQuery = ''] = parts;
    if (origin !== null && plainOrigin(itsOrigin) !== origin) return false;
    if (by === 'prefix') return below(itsPath);
    return itsPath === path && (by === 'path' || itsQuery === queryKey(query));
  };
  return { matches, tag: null, path: by === 'prefix' ? null : path, below: by === 'prefix' ? below : null };
}

/** Without the port that the scheme implies. */
function plainOrigin(origin: string): string {
  if (origin.startsWith('http:') && origin.endsWith(':80')) return origin.slice(0, -3);
  return origin.startsWith('https:') && origin.endsWith(':443') ? origin.slice(0, -4) : origin;
}
