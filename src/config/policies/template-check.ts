/**
 * Finds what is wrong with templates where they are written: unknown variables, and claims or path parameters that
 * the route can never have. Knows the file, no requests.
 * @module
 */

import {
  parseTemplate,
  type TextTemplate,
  VARIABLE_FORMS,
  variablesOf,
} from '../../core/policy/transform/text-template.ts';
import { suggestion } from '../edit-distance.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

export function checkTemplate(source: YamlSource, at: Path, text: string): void {
  for (const { offset, length, message, written } of parseTemplate(text).problems) {
    const hint =
      written === ''
        ? undefined
        : (suggestion(written, VARIABLE_FORMS) ?? `known: ${VARIABLE_FORMS.join(', ')}`);
    source.findings.error(source.partRange(at, offset, length), message, hint);
  }
}

/** As much of a route's path as templates ask about. */
export interface RoutePath {
  readonly kind: 'exact' | 'template' | 'prefix';
  readonly path: string;
}

/** Names of the parameters in a route's path. */
export function parameterNames(path: RoutePath): readonly string[] {
  return path.kind === 'template'
    ? [...path.path.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? '')
    : [];
}

/**
 * Variables that can have no value on this route. `place` is the route, because the templates may come from its
 * policy.
 */
export function checkRouteVariables(
  source: YamlSource,
  place: Path,
  route: { readonly name: string; readonly path: RoutePath; readonly authenticated: boolean },
  templates: readonly TextTemplate[],
): void {
  const known = parameterNames(route.path);
  const told = new Set<string>();
  for (const { scope, name } of templates.flatMap(variablesOf)) {
    const written = `${scope}.${name}`;
    if (told.has(written)) continue;
    told.add(written);
    if (scope === 'param' && !known.includes(name)) {
      source.findings.error(
        source.valueRange(place),
        `the path of the route "${route.name}" has no parameter {${name}}, but a template uses it`,
        suggestion(name, known),
      );
    } else if (scope === 'claim' && !route.authenticated) {
      source.findings.warning(
        source.valueRange(place),
        `the route "${route.name}" validates no token, so there is never a claim "${name}" for its templates`,
        'add auth to the route or to its policy',
      );
    }
  }
}
