/**
 * The rules of the `json` policy, compiled once per route and filled in per request. Knows paths and templates, no
 * bodies.
 * @module
 */

import type { PathMatch } from '../../config/gateway-model.ts';
import type { JsonMapping } from '../../config/policies/json-map.ts';
import type { JsonRules, JsonValue } from '../../core/policy/transform/json-map.ts';
import type { TextTemplate } from '../../core/policy/transform/text-template.ts';
import type { TransformSubject } from './transform-model.ts';
import { compileText } from './variables.ts';

export function compileRules(
  mapping: JsonMapping,
  route: PathMatch,
): (subject: TransformSubject) => JsonRules {
  const set = mapping.set.map(({ path, value }) => ({
    path,
    fill:
      typeof value === 'object' && value !== null
        ? compileText(value as TextTemplate, route, (each) => each)
        : (): JsonValue => value,
  }));
  return (subject) => ({
    ...mapping,
    set: set.map(({ path, fill }) => ({ path, value: fill(subject) })),
  });
}
