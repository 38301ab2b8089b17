/**
 * Checks of routes against each other and against the rest of the gateway file: paths, services, duplicates.
 * Knows nothing of how the data plane matches.
 * @module
 */

import { canonicalPath } from '../core/policy/request-target.ts';
import { conditionsKey } from '../core/policy/route-condition.ts';
import { suggestion } from './edit-distance.ts';
import type { PathMatch } from './gateway-model.ts';
import type { GatewayYaml } from './gateway-schema.ts';
import { readConditions } from './policies/route-conditions.ts';
import type { Path, YamlSource } from './yaml-source.ts';

type RouteYaml = GatewayYaml['routes'][number];

const PARAMETER = /^\{([^{}]*)\}$/;
/** Stands for a parameter where the form of a path is checked. */
const STANDS_FOR = '~p~';
/** What paths of requests have only escaped, whole characters. */
const TO_ESCAPE = /[^\w.~!$&'()*+,;=:@/%\\{}\p{Surrogate}-]/gu;
const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** The path of a route, or undefined when it has none, two, or a bad template; each is reported. */
export function readPathMatch(
  source: YamlSource,
  index: number,
  match: RouteYaml['match'],
): PathMatch | undefined {
  const at: Path = ['routes', index, 'match'];
  const { path, prefix } = match;
  if (path !== undefined && prefix !== undefined) {
    source.findings.error(source.keyRange([...at, 'prefix']), 'expected either path or prefix, got both');
    return undefined;
  }
  checkForm(source, [...at, prefix === undefined ? 'path' : 'prefix'], prefix ?? path);
  // A trailing slash would change nothing: a prefix matches whole segments.
  if (prefix !== undefined)
    return { kind: 'prefix', path: prefix === '/' ? prefix : prefix.replace(/\/+$/, '') || '/' };
  if (path === undefined) {
    source.findings.error(source.keyRange(at), `routes[${index}] needs a path or a prefix to match`);
    return undefined;
  }
  return readPath(source, [...at, 'path'], path);
}

/** Requests are matched by the one form of their path: a route in another one would never be reached. */
function checkForm(source: YamlSource, at: Path, path: string | undefined): void {
  if (path === undefined) return;
  const parameters = path.match(/\{[^{}]*\}/g) ?? [];
  const plain = path.replace(/\{[^{}]*\}/g, STANDS_FOR).replace(TO_ESCAPE, encodeURIComponent);
  const form = canonicalPath(plain);
  if (form === undefined) {
    source.findings.error(
      source.valueRange(at),
      `no request is let through with this path, got "${path}"`,
      'leave out dot segments, escaped slashes, backslashes and broken escapes',
    );
    return;
  }
  let next = 0;
  const written = form.replaceAll(STANDS_FOR, () => parameters[next++] ?? '');
  if (written !== path)
    source.findings.error(
      source.valueRange(at),
      `paths are matched in their canonical form, got "${path}"`,
      `write ${written}`,
    );
}

function readPath(source: YamlSource, at: Path, path: string): PathMatch | undefined {
  const seen = new Set<string>();
  let sound = true;
  let offset = 0;
  for (const segment of path.split('/')) {
    const place = offset;
    offset += segment.length + 1;
    const problem = segmentProblem(segment, seen);
    if (problem) {
      sound = false;
      source.findings.error(source.partRange(at, place, segment.length), problem.message, problem.hint);
    } else if (/^:\w+$/.test(segment)) {
      const hint = `did you mean {${segment.slice(1)}}?`;
      source.findings.warning(
        source.partRange(at, place, segment.length),
        `"${segment}" is taken literally`,
        hint,
      );
    } else if (/^\*+$/.test(segment)) {
      const hint = 'use prefix for everything below a path';
      source.findings.warning(
        source.partRange(at, place, segment.length),
        `"${segment}" is taken literally`,
        hint,
      );
    }
  }
  if (!sound) return undefined;
  return { kind: seen.size > 0 ? 'template' : 'exact', path };
}

function segmentProblem(segment: string, seen: Set<string>): { message: string; hint?: string } | undefined {
  if (!/[{}]/.test(segment)) return undefined;
  const name = PARAMETER.exec(segment)?.[1];
  if (name === undefined) {
    return { message: `expected a parameter to be one whole segment such as {id}, got "${segment}"` };
  }
  if (!PARAMETER_NAME.test(name)) {
    return { message: `expected a parameter name of letters, digits and "_", got "${name}"` };
  }
  if (seen.has(name))
    return { message: `the parameter {${name}} is in this path twice`, hint: 'give each its own name' };
  seen.add(name);
  return undefined;
}

/** Reports a route whose name, or whose method, host and path, an earlier one has already. */
export function createDuplicateCheck(
  source: YamlSource,
): (index: number, route: RouteYaml, path: PathMatch | undefined) => void {
  const names = new Map<string, number>();
  const targets = new Map<string, number>();
  return (index, route, path) => {
    const named = names.get(route.name);
    if (named !== undefined) {
      source.findings.error(
        source.valueRange(['routes', index, 'name']),
        `routes[${named}] is already called "${route.name}"`,
      );
    } else {
      names.set(route.name, index);
    }
    if (!path) return;
    const shape = path.kind === 'template' ? path.path.replace(/\{[^{}]*\}/g, '{}') : path.path;
    const conditions = conditionsKey(readConditions(route.match));
    const clashes = new Map<number, string[]>();
    for (const method of new Set(route.match.methods ?? ALL_METHODS)) {
      const target = `${method} ${route.match.host ?? '*'} ${path.kind} ${shape} ${conditions}`;
      const earlier = targets.get(target);
      if (earlier === undefined) targets.set(target, index);
      else clashes.set(earlier, [...(clashes.get(earlier) ?? []), method]);
    }
    const key = path.kind === 'prefix' ? 'prefix' : 'path';
    for (const [earlier, methods] of clashes) {
      const what = methods.length === ALL_METHODS.length ? 'everything' : methods.join(', ');
      source.findings.error(
        source.valueRange(['routes', index, 'match', key]),
        `routes[${earlier}] already matches ${what} at this path`,
        'this route would never be reached; change its methods, host or path',
      );
    }
  };
}

/** Reports a service or policy that a route names and the file does not have. */
export function checkRouteReferences(
  source: YamlSource,
  index: number,
  route: RouteYaml,
  services: readonly string[],
  policies: readonly string[],
): void {
  if (!services.includes(route.service)) {
    source.findings.error(
      source.valueRange(['routes', index, 'service']),
      `there is no service "${route.service}"`,
      suggestion(route.service, services),
    );
  }
  if (route.policy !== undefined && !policies.includes(route.policy)) {
    source.findings.error(
      source.valueRange(['routes', index, 'policy']),
      `there is no policy "${route.policy}"`,
      suggestion(route.policy, policies),
    );
  }
}
