/**
 * Where the variables of templates get their values from: compiled once per route, read per request. Knows the
 * request, no places that a value may go to.
 * @module
 */

import type { PathMatch } from '../../config/gateway-model.ts';
import { hostName } from '../../core/policy/request-target.ts';
import { fillTemplate, type TextTemplate, type Variable } from '../../core/policy/transform/text-template.ts';
import type { TextFiller, TransformSubject } from './transform-model.ts';

/** `encode` makes each value safe for its place. */
export function compileText(
  template: TextTemplate,
  path: PathMatch,
  encode: (value: string) => string,
): TextFiller {
  const [only] = template;
  if (template.length === 1 && typeof only === 'string') return () => only;
  const segments = segmentsOf(path);
  return (exchange) =>
    fillTemplate(template, (variable) => variableValue(exchange, variable, segments), encode);
}

/** The path of a template route, part by part. */
export function segmentsOf(path: PathMatch): readonly string[] {
  return path.kind === 'template' ? path.path.split('/') : [];
}

/** `segments`: those of the route's path. */
export function variableValue(
  exchange: TransformSubject,
  variable: Variable,
  segments: readonly string[],
): string | undefined {
  const { scope, name } = variable;
  switch (scope) {
    case 'client.ip':
      return exchange.clientIp;
    case 'request.id':
      return exchange.requestId;
    case 'request.method':
      return exchange.method;
    case 'request.host':
      return hostName(exchange.authority);
    case 'request.path':
      return exchange.path;
    case 'trace.id':
      return exchange.traceId;
    case 'route.name':
      return exchange.route?.name;
    case 'service.name':
      return exchange.route?.service.name;
    case 'service.version':
      return exchange.version?.name;
    case 'claim':
      return claimValue(exchange, name);
    case 'header':
      return headerValue(exchange, name);
    case 'query':
      return new URLSearchParams(exchange.query).get(name) ?? undefined;
    case 'param':
      return paramValue(exchange, segments.indexOf(`{${name}}`));
  }
}

/** Text, numbers and truth values; a list of them is joined by spaces, as scopes are. */
function claimValue({ claims }: TransformSubject, name: string): string | undefined {
  if (claims === null || !Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  const texts = (Array.isArray(value) ? value : [value]).filter(isSimple);
  return texts.length === 0 ? undefined : texts.join(' ');
}

function isSimple(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function headerValue({ request }: TransformSubject, name: string): string | undefined {
  const value = Object.hasOwn(request.headers, name) ? request.headers[name] : undefined;
  return typeof value === 'object' ? value.join(', ') : value;
}

/** The segment without its escapes, so that each place can write it in its own way. */
function paramValue({ path }: TransformSubject, index: number): string | undefined {
  const segment = index < 0 ? undefined : path.split('/')[index];
  if (segment === undefined) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
